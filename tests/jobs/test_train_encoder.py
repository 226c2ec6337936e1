"""`stylemill train encoder`: what it keeps of each picture, the artifact, how it is read, refusals."""

import io
import json
import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_jobs import dataset, rows

from jobs.__main__ import main
from pipeline.errors import ModelFileError
from pipeline.models import generators
from pipeline.models.classifiers.tiny import SEEDS, TinyReader
from pipeline.models.codes import Codes
from pipeline.stages import kept_artifacts
from pipeline.stages.encoders import find_encoder, read_encoder
from pipeline.tables import Artifact

ROWS, HELD_OUT = 48, 8
TINY = ["--generator", "stylegan2-tiny", "--features", "tiny", "--local", "--threads", "1", "--batch-size", "4"]


def train(out, *words):
    return main(
        ["train", "encoder", *TINY, "--rows", str(ROWS), "--held-out", str(HELD_OUT), *words, "--out", str(out)]
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    out = tmp_path_factory.mktemp("encoder")
    assert train(out, "--rank", "16") == 0
    return out


@pytest.fixture(scope="module")
def generator():
    return generators.load("stylegan2-tiny", backend="eager")


def test_it_keeps_what_the_networks_see_of_the_pictures_of_dataset(trained, tmp_path):
    assert dataset(tmp_path, "--seed", "3", "--rows", str(ROWS), "--psi", "0.7", "--images", "png") == 0
    kept, latents = rows(trained, "features"), rows(tmp_path, "latents")
    np.testing.assert_array_equal([row["w"] for row in kept], [row["w"] for row in latents])
    images = [Image.open(io.BytesIO(row["image"]["bytes"])) for row in rows(tmp_path, "images")]
    x_N3HW = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.no_grad():
        seen = TinyReader(SEEDS["tiny"])(x_N3HW).features.numpy()
    apart = np.abs(np.array([row["features"] for row in kept]) - seen).mean(axis=1)
    assert apart[:HELD_OUT].max() < 0.004  # pictures of the table are rounded to 8 bits
    assert apart[HELD_OUT:].min() > 2 * apart[:HELD_OUT].max()  # those that it learns from are moved and compressed


def test_it_reads_pictures_of_its_generator(trained, generator):
    card = Artifact(f"{trained}/artifact").card()
    encoder = read_encoder(f"{trained}/artifact", generator)
    kept = rows(trained, "features")[:HELD_OUT]
    w_NW = torch.tensor([row["w"] for row in kept])
    found_NLW = encoder.encode(generator.synthesize(Codes("w", w_NW)).clamp(-1, 1))
    assert found_NLW.shape == (HELD_OUT, generator.num_ws, generator.w_dim)
    assert torch.equal(found_NLW[:, 0], found_NLW[:, -1])
    distance = (found_NLW[:, 0] - w_NW).norm(dim=1).mean().item()
    assert distance == pytest.approx(card.metrics["encoder.w.distance"], abs=1e-3)
    assert card.codes.space == "w"
    assert card.codes.norm_min < w_NW.norm(dim=1).mean() < card.codes.norm_max


def test_it_is_refused_with_another_generator(trained, generator, monkeypatch):
    monkeypatch.setattr(generator, "fingerprint", "0" * 64)
    with pytest.raises(ModelFileError, match=r"trained on pictures of stylegan2-tiny \(.*not of stylegan2-tiny \(0000"):
        read_encoder(f"{trained}/artifact", generator)


def test_it_is_refused_with_other_networks(trained, generator, tmp_path):
    copy = shutil.copytree(trained / "artifact", tmp_path / "copy")
    card = (copy / "card.json").read_text()
    (copy / "card.json").write_text(card.replace(json.loads(card)["inputs"]["tiny"], "0" * 64))
    with pytest.raises(ModelFileError, match="reads features of another tiny than the one that is here"):
        read_encoder(str(copy), generator)


def test_one_that_is_kept_is_found_by_its_generator(trained, generator, tmp_path, monkeypatch):
    assert find_encoder(generator) is None
    shutil.copytree(trained / "artifact", tmp_path / "encoder.stylegan2-tiny")
    monkeypatch.setattr(kept_artifacts, "ENCODERS", tmp_path)
    url = find_encoder(generator)
    assert url == "kept:encoder.stylegan2-tiny"
    assert read_encoder(url, generator).num_ws == generator.num_ws
    monkeypatch.setattr(generator, "fingerprint", "0" * 64)
    assert find_encoder(generator) is None


def test_damage_is_seen_and_made_good(trained, capsys):
    file = trained / "artifact" / "model.safetensors"
    whole = file.read_bytes()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert main(["verify", str(trained)]) == 1
    assert f"the same train command makes artifact of {trained} again" in capsys.readouterr().err
    assert train(trained, "--rank", "16") == 0
    assert file.read_bytes() == whole
    assert main(["verify", str(trained)]) == 0
    assert "encoder explained" in capsys.readouterr().err


def test_another_spec_takes_its_place_only_if_asked(trained, tmp_path):
    out = shutil.copytree(trained, tmp_path / "out")
    assert train(out, "--rank", "4") == 4
    assert Artifact(f"{out}/artifact").card().settings["rank"] == 16
    assert train(out, "--rank", "4", "--replace") == 0
    assert Artifact(f"{out}/artifact").card().settings["rank"] == 4


def test_it_has_a_page(trained):
    assert main(["report", str(trained)]) == 0
    assert "share of the variance of w" in (trained / "report.html").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--features", "resnet"], "there are no features 'resnet': choose among colours"),
        (["--features", "tiny,tiny"], "name at least one, and each once"),
        (["--rows", "15"], "7 pictures to learn from and 8 held out: give at least 8 and 2"),
    ],
)
def test_what_cannot_be_trained_is_one_line(words, message, tmp_path, capsys):
    assert train(tmp_path, *words) == 2
    assert message in " ".join(capsys.readouterr().err.split())
