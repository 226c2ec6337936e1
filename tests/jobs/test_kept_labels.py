"""Labels that the repository keeps: made from a folder of labelled faces, and taken by studies that need the same."""

import json
import shlex
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from benchmarks.labelled_set import MOST_BYTES, write
from jobs.__main__ import main
from jobs.flags import parse
from jobs.reproduce import kept_labels
from jobs.reproduce.faces import label_faces, labelling_cost
from jobs.reproduce.interfacegan import InterfaceganSpec
from jobs.reproduce.kept_labels import KeptLabels
from pipeline.errors import ModelFileError, SpecError
from pipeline.models import classifiers, generators
from pipeline.models.classifiers.attributes import ATTRIBUTES, DEFAULT_ATTRIBUTES
from pipeline.stages.joined import classifier_of
from pipeline.tables import Table

HOW = ["--local", "--backend", "eager", "--threads", "1", "--batch-size", "4"]
COMMAND = ["dataset", "--generator", "stylegan2-tiny", "--rows", "64", "--seed", "1", "--psi", "0.7"]
COMMAND += ["--attributes", ",".join(ATTRIBUTES), "--classifiers", "tiny,tiny-judge"]
STUDY = ["--generator", "stylegan2-tiny", "--classifiers", "tiny", "--judge", "tiny-judge", *HOW]
REAL = kept_labels.FOLDER / "mobilestylegan-ffhq.labels.parquet"


@pytest.fixture(scope="module")
def labelled(tmp_path_factory):
    out = tmp_path_factory.mktemp("labelled")
    assert main([*COMMAND, *HOW, "--out", str(out)]) == 0
    return out


@pytest.fixture
def kept(labelled, tmp_path, monkeypatch):
    """The file of these 64 faces, in place of those of the repository."""
    monkeypatch.setattr(kept_labels, "FOLDER", tmp_path / "kept")
    kept_labels.FOLDER.mkdir()
    kept_labels._find.cache_clear()
    return write(str(labelled))


def study(out, *words: str) -> InterfaceganSpec:
    return parse(InterfaceganSpec, [*STUDY, "--rows", "400", "--out", str(out), *words])


def test_the_file_has_the_labels_of_both_families_and_tells_how_they_were_made(labelled, kept):
    assert kept.name == "stylegan2-tiny.labels.parquet"
    rows, found = pq.read_table(kept), KeptLabels.open(kept)
    for table, prefix in (("labels", ""), ("labels_tiny-judge", "tiny-judge_")):
        its = Table.open(f"{labelled}/{table}").read()
        for name in its.column_names:
            assert rows[name if name == "index" else prefix + name].equals(its[name])
    assert {str(field.type) for field in rows.schema if field.name != "index"} == {"float"}
    assert shlex.split(found.facts["command"]) == ["stylemill", *COMMAND, "--precision", "fp32"]
    assert found.facts["generator_digest"] == generators.load("stylegan2-tiny").fingerprint
    assert found.facts["families"]["tiny"]["fingerprint"] == classifiers.load("tiny").fingerprint
    assert found.facts["families"]["tiny-judge"]["fingerprint"] == classifiers.load("tiny-judge").fingerprint
    assert pq.ParquetFile(kept).metadata.row_group(0).column(1).compression == "ZSTD"


def test_it_is_a_label_file_for_directions(labelled, kept, tmp_path):
    words = ["directions", "fit", "--latents", f"{labelled}/latents", "--attributes", "old", "--C", "1", "--local"]
    assert main([*words, "--labels", str(kept), "--out", str(tmp_path / "own")]) == 0
    assert main([*words, "--labels", f"{labelled}/labels", "--out", str(tmp_path / "same")]) == 0
    own, same = (Table.open(str(tmp_path / name / "directions")).read()["vector"] for name in ("own", "same"))
    assert own.equals(same)


def test_a_study_samples_its_faces_and_takes_their_labels(labelled, kept, tmp_path, capsys):
    spec = study(tmp_path / "study")
    faces = label_faces(spec, 48, ("w",), ("smile",))
    said = capsys.readouterr().err
    assert "Note  labels of 48 faces are taken from stylegan2-tiny.labels.parquet, which `stylemill dataset " in said
    assert [shlex.split(line)[2] for line in said.splitlines() if line.startswith("Step  ")] == ["sample", "directions"]
    whole, some = Table.open(f"{labelled}/labels"), Table.open(faces.labels)
    names = ["index", *DEFAULT_ATTRIBUTES, "age_years", "yaw_degrees"]
    assert some.read().equals(whole.read(names).slice(0, 48))
    assert classifier_of(some) == classifier_of(whole)
    sampled, made = (Table.open(url).read(["w"])["w"] for url in (faces.latents, f"{labelled}/latents"))
    np.testing.assert_allclose(np.stack(sampled.to_numpy()), np.stack(made.to_numpy())[:48], atol=1e-5)
    assert faces.said.startswith("48 labelled (the labels are those of stylegan2-tiny.labels.parquet, made by `stylem")
    assert main(["verify", spec.url("faces")]) == 0
    assert main(["report", spec.url("faces")]) == 0
    capsys.readouterr()
    label_faces(spec, 48, ("w",), ("smile",))
    said = capsys.readouterr().err
    assert said.count("all done") == said.count("Plan  ") == 2


def test_a_study_labels_anew_where_it_is_asked_to_or_has_begun_so(kept, tmp_path, capsys):
    spec = study(tmp_path / "study", "--relabel")
    assert labelling_cost(spec, 8).forward == 8
    assert "kept_labels" not in Table.open(label_faces(spec, 8, ()).labels).require_sealed()["facts"]
    assert labelling_cost(study(tmp_path / "study"), 8).forward == 8
    assert labelling_cost(study(tmp_path / "other"), 8).forward == 0
    assert "--relabel labels them again" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "rows", "attributes", "why"),
    [
        (["--seed", "2"], 8, ("old",), "their seed is 1, not 2"),
        (["--precision", "bf16"], 8, ("old",), "their precision is fp32, not bf16"),
        (["--classifiers", "faces"], 8, ("old",), "faces did not label them"),
        (["--classifiers", "tiny-judge", "--judge", "tiny"], 8, ("hat",), "they lack hat"),
        ([], 65, ("old",), "they are of 64 faces, and 65 are asked for"),
    ],
)
def test_labels_of_anything_else_are_not_taken(kept, tmp_path, capsys, words, rows, attributes, why):
    assert labelling_cost(study(tmp_path / "study", *words), rows, attributes).forward == rows
    assert f"Note  the labels of {kept.name} are not used: {why}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda facts: facts.update(generator_digest="ab" * 32), "they are of another stylegan2-tiny"),
        (
            lambda facts: facts["families"]["tiny"].update(fingerprint="ab" * 32),
            "tiny has other networks or another calibration now",
        ),
    ],
)
def test_labels_by_other_networks_are_not_taken(kept, tmp_path, capsys, change, why):
    rows, facts = pq.read_table(kept), dict(KeptLabels.open(kept).facts)
    change(facts)
    pq.write_table(rows.replace_schema_metadata({kept_labels.METADATA: json.dumps(facts)}), kept)
    assert labelling_cost(study(tmp_path / "study"), 8).forward == 8
    assert why in capsys.readouterr().err


def test_a_file_that_is_damaged_is_one_line(kept, tmp_path):
    for content in (b"PAR1", kept.read_bytes()[:-9]):
        kept.write_bytes(content)
        with pytest.raises(ModelFileError, match="restore it, or pass --relabel"):
            labelling_cost(study(tmp_path / "study", "--edited", str(4 + len(content))), 8)


def test_a_folder_that_lacks_rows_makes_no_file(labelled, tmp_path):
    out = tmp_path / "part"
    assert main([*COMMAND[:3], "--range", "4:12", "--classifiers", "tiny", *HOW, "--out", str(out)]) == 0
    with pytest.raises(SpecError, match="has 8 of the rows 0 to 7: the set is to be whole"):
        write(str(out), tmp_path / "file.parquet")


@pytest.mark.weights
@pytest.mark.skipif(not REAL.is_file(), reason=f"{REAL.name} is not there yet")
def test_the_labels_of_the_repository_are_of_the_networks_that_it_has():
    found = KeptLabels.open(REAL)
    assert REAL.stat().st_size <= MOST_BYTES
    assert found.rows == 10_000
    assert pq.read_table(REAL).num_rows == found.rows
    for family, facts in found.facts["families"].items():
        assert facts["fingerprint"] == classifiers.load(family, facts["attributes"]).fingerprint
        assert tuple(facts["attributes"]) == classifiers.attributes_of(family)
    assert Path(found.file).name.startswith(found.facts["spec"]["generator"])
    assert found.facts["generator_digest"] == generators.load("mobilestylegan-ffhq").fingerprint
