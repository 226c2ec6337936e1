"""Classifiers of one's own in the verbs: labels by a file's network, gradients of it, constants, resumes, refusals."""

import hashlib
import json
import zipfile
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tiny_jobs import rows
from torch.nn.functional import interpolate

from jobs.__main__ import main
from jobs.constants import check_faces
from pipeline.errors import SpecError
from pipeline.models import classifiers, generators
from pipeline.models.codes import Codes
from pipeline.tables import Table
from tests.pipeline.models.classifiers.plain_resnet import resnet18

HERE = ["--local", "--backend", "eager", "--threads", "1", "--batch-size", "4"]
ROWS = 8
FILE = """
weights: beard.pth
size: 24
mean: [0.5, 0.4, 0.3]
std: [0.2, 0.3, 0.4]
channels: bgr
attributes:
  beard: {meaning: The face has a beard., classes: 1, boundary: 0.25, unit: 2.0}
  shaven: {logit: 0, negated: true, unit: 1}
"""


def folder_of(path, text=FILE, network=None):
    """beard.yaml and beard.pth in that folder."""
    path.mkdir(exist_ok=True)
    torch.save((network or resnet18(2)).state_dict(), path / "beard.pth")
    (path / "beard.yaml").write_text(text)
    return path


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    return folder_of(tmp_path_factory.mktemp("own"))


@pytest.fixture(scope="module")
def latents(tmp_path_factory):
    out = tmp_path_factory.mktemp("latents")
    assert main(["sample", "--generator", "stylegan2-tiny", "--rows", str(ROWS), *HERE, "--out", str(out)]) == 0
    return f"{out}/latents"


def label(latents, file, out, *words):
    return main(["label", "--latents", latents, "--classifiers", str(file), *HERE, "--out", str(out), *words])


@pytest.fixture(scope="module")
def labelled(own, latents, tmp_path_factory):
    out = tmp_path_factory.mktemp("labelled")
    assert label(latents, own / "beard.yaml", out) == 0
    return out


def pictures(latents):
    w_NW = torch.tensor([row["w"] for row in Table.open(latents).read().to_pylist()])
    with torch.no_grad():
        return generators.load("stylegan2-tiny", backend="eager").synthesize(Codes("w", w_NW), 32)


def test_labels_are_the_networks_logits_in_the_units_of_the_file(labelled, latents):
    found = rows(labelled, "labels")
    assert [list(row) for row in found] == [["index", "beard", "shaven"]] * ROWS
    small = interpolate(pictures(latents), size=(24, 24), mode="bilinear", antialias=True) / 2 + 0.5
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in ((0.5, 0.4, 0.3), (0.2, 0.3, 0.4)))
    with torch.no_grad():
        logits = resnet18(2)((small.flip(1) - mean) / std)
    beard, shaven = (logits[:, 1] - logits[:, 0] - 0.25) / 2, -logits[:, 0]
    np.testing.assert_allclose([row["beard"] for row in found], beard, atol=1e-4)
    np.testing.assert_allclose([row["shaven"] for row in found], shaven, atol=1e-4)
    assert np.std(beard.numpy()) > 1e-3


def test_the_records_name_the_file_its_digest_and_what_a_column_means(labelled, own):
    record = json.loads((labelled / ".stylemill" / "label" / "spec.json").read_text())
    digest = hashlib.sha256((own / "beard.pth").read_bytes()).hexdigest()
    assert [one["source"] for one in record["weights"]] == [f"{own}/beard.pth, sha256 {digest}"]
    assert record["meanings"]["beard"] == "The face has a beard."
    assert main(["verify", str(labelled)]) == 0
    assert main(["report", str(labelled)]) == 0


def test_a_resume_with_other_weights_or_constants_is_refused(latents, tmp_path, capsys):
    own, out = folder_of(tmp_path / "own"), tmp_path / "out"
    assert label(latents, own / "beard.yaml", out) == 0
    (own / "beard.yaml").write_text("# a comment decides nothing\n" + FILE)
    assert label(latents, own / "beard.yaml", out) == 0
    assert f"{ROWS} rows: all done" in capsys.readouterr().err
    folder_of(own, FILE.replace("0.25", "0.5"))
    assert label(latents, own / "beard.yaml", out) == 4
    folder_of(own, network=resnet18(2, seed=1))
    assert label(latents, own / "beard.yaml", out) == 4
    assert "classifiers_digest" in capsys.readouterr().err


def test_an_edit_follows_its_gradients_beside_those_of_the_family_that_it_joins(own, latents, tmp_path):
    file = own / "joined.yaml"
    file.write_text(FILE + "joins: tiny\n")
    assert classifiers.attributes_of(str(file))[-2:] == ("beard", "shaven")
    out = tmp_path / "out"
    words = ["--attribute", "beard", "--preserve", "smile", "--lambda1", "0", "--lambda2", "0", "--steps", "4"]
    words += ["--step-size", "0.3", "--target", "1", "--scores", "both", "--scored", "beard,smile", "--keep", "all"]
    families = ["--classifiers", str(file), "--judge", str(own / "beard.yaml"), *HERE]
    # the judge does not score smile, and a line says so
    assert main(["edit", "ials", "--latents", latents, *words, *families, "--out", str(out)]) == 0
    found = Table.open(f"{out}/edits").read().to_pandas()
    first, last = found[found.step == 0], found[found.step == 4]
    assert (last.beard.to_numpy() > first.beard.to_numpy()).all()
    np.testing.assert_allclose(found.judge_beard, found.beard, atol=1e-4)
    measure = ["--edits", f"{out}/edits", "--families", str(own / "beard.yaml"), "--measured", "beard"]
    assert main(["measure", *measure, "--metrics", "", *HERE, "--out", str(tmp_path / "measured")]) == 0
    assert {row["attribute"] for row in rows(tmp_path / "measured", "measured")} >= {"beard"}


def test_a_unit_is_measured_where_the_file_has_none(latents, tmp_path, capsys):
    own = folder_of(tmp_path / "own", FILE.replace(", unit: 2.0", "")) / "beard.yaml"
    assert label(latents, own, tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert f"stylemill calibrate --classifiers {own} --out DIR" in said
    words = ["--generator", "stylegan2-tiny", "--classifiers", str(own), "--rows", "16", "--psi", "1", *HERE]
    assert main(["calibrate", *words, "--out", str(tmp_path / "measured")]) == 0
    assert "as beard.yaml says" in capsys.readouterr().out
    constants = tmp_path / "measured" / "calibration.json"
    assert label(latents, own, tmp_path / "out", "--calibration", str(constants)) == 0
    scale = json.loads(constants.read_text())["families"]["beard"]["beard"]
    raw = Table.open(f"{tmp_path}/measured/statistics").read()["beard_beard"].to_numpy()
    assert scale == {"boundary": 0.25, "unit": pytest.approx(raw.std(ddof=1), rel=1e-5)}


def test_its_labels_stand_beside_those_of_a_family(own, latents, tmp_path):
    assert label(latents, f"tiny,{own}/beard.yaml", tmp_path, "--attributes", "smile,beard") == 0
    assert list(rows(tmp_path, "labels")[0]) == ["index", "smile", "age_years", "yaw_degrees"]
    assert list(rows(tmp_path, "labels_beard")[0]) == ["index", "beard"]


def test_pictures_that_may_be_no_faces_are_refused_only_where_a_family_of_faces_is_joined(own):
    cats, file = SimpleNamespace(name="/data/cats.pkl"), own / "of_faces.yaml"
    check_faces(cats, str(own / "beard.yaml"))
    file.write_text(FILE + "joins: faces\n")
    with pytest.raises(SpecError, match="add faces=aligned to its name"):
        check_faces(cats, str(file))
    check_faces(SimpleNamespace(name="/data/people.pkl#faces=aligned"), str(file))


def program_archive(member):
    def write(path):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(f"beard/{member}", b"{}")

    return write


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("weights: [", "is not YAML"),
        ("- a", "must hold `key: value` lines"),
        ("weights: beard.pth\n", "attributes: field required"),
        (FILE + "colour: red\n", "colour: extra inputs are not permitted; known are weights,"),
        (FILE.replace("size: 24", "size: 4"), "size: give 8 to 1024 pixels"),
        (FILE.replace("[0.5, 0.4, 0.3]", "[0.5, 0.4]"), "`mean` has 2 numbers: give one, or 3"),
        (FILE.replace("classes: 1", "classes: 7"), "beard is read from logit 7, and the network gives 2"),
        (FILE.replace("classes: 1", "classes: [0, 1]"), "`classes` are some of a softmax"),
        (FILE.replace("classes: 1", "classes: 1, logit: 1"), "give `logit`"),
        (FILE.replace("beard:", "Beard:"), "'Beard' cannot be a column"),
        (FILE.replace("beard:", "young:"), "'young' is another name of old"),
        (FILE.replace("beard:", "age_years:"), "cannot be a column"),
        (FILE.replace("bgr", "grey"), "`mean` has 3 numbers: give one, or 1"),
        (FILE.replace("beard.pth", "other.pth"), "other.pth: there is no such file"),
        (FILE.replace("beard.pth", "http://localhost:1/beard.pth"), "need their `sha256`"),
        (FILE + f"sha256: {'f' * 64}\n", "not the ffff"),
        (FILE + "joins: eyes\n", "unknown family of classifiers 'eyes'"),
        (FILE + "joins: beard.yaml\n", "leads in a circle"),
        (FILE + "output: logits\n", "`output` names a tensor of an ONNX graph"),
    ],
)
def test_a_file_that_is_not_valid_is_one_line(text, message, latents, tmp_path, capsys):
    own = folder_of(tmp_path / "own", text)
    assert label(latents, own / "beard.yaml", tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert message in said
    assert len(said.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: path.write_bytes(b"PK\x03\x04 cut"), "zip archive"),
        (lambda path: path.write_bytes(b"hello"), "neither what torch.save writes, nor safetensors, nor ONNX"),
        (lambda path: path.write_bytes(b""), "the file is empty"),
        (lambda path: path.write_bytes(b"\x08\x07 not a graph"), "ONNX"),
        (program_archive("models/model.json"), "a damaged program of torch.export"),
        (program_archive("serialized_exported_program.json"), "of an older PyTorch: export it again"),
        (program_archive("code/module.py"), "a program of TorchScript"),
        (lambda path: torch.save({"weight": torch.zeros(3)}, path), "holds no ResNet of torchvision (weight, ...)"),
        (lambda path: torch.save(resnet18, path), "holds code or objects"),
    ],
)
def test_weights_that_cannot_be_read_are_one_line(write, message, latents, tmp_path, capsys):
    own = folder_of(tmp_path / "own")
    write(own / "beard.pth")
    assert label(latents, own / "beard.yaml", tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert message in said
    assert len(said.strip().splitlines()) == 1
