"""Trained files of the two public codes, with random weights, become artifacts that edit as those codes compute."""

import contextlib
import io
import math
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from jobs.__main__ import main
from pipeline.tables import Artifact, Table
from tests.pipeline.models.checkpoints import made

ROWS, WIDTH = 18, 512
SHARED = {"gender": "male", "glasses": "eyeglasses", "age": "old", "smile": "smile"}


def normal(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(scope="module")
def generator(tmp_path_factory):
    """A StyleGAN2 of 1024 px with two channels."""
    sizes = {**made.SIZES, "z_dim": WIDTH, "w_dim": WIDTH, "img_resolution": 1024}
    options = {"channel_base": 2048, "channel_max": 2}
    blocks = [2**power for power in range(2, 11)]
    path = tmp_path_factory.mktemp("generator") / "network.pkl"
    path.write_bytes(made.nvidia(tensors=made.stylegan2(WIDTH, 2, blocks), options=options, sizes=sizes))
    return str(path)


@pytest.fixture(scope="module")
def latents(generator, tmp_path_factory):
    out = tmp_path_factory.mktemp("latents")
    assert main(["sample", "--generator", generator, "--rows", "4", "--local", "--out", str(out)]) == 0
    return f"{out}/latents"


@pytest.fixture(scope="module")
def id_style(tmp_path_factory):
    """`100000.ckpt`, and its tensors."""
    tensors = {
        "embedding_attr.weight": torch.tensor([[1.0] * 8 + [0] * 10, [0] * 2 + [1.0] * 2 + [0] * 14,
                                               [0] * 4 + [1.0] * 4 + [0] * 10, [0] * 4 + [1.0] * 2 + [-1.0] * 12]),
        "iaip.fc.0.weight": normal(1, 2 * WIDTH), "iaip.fc.0.bias": normal(2, 2 * WIDTH),
        "iaip.fc.1.weight": normal(3, WIDTH, 2 * WIDTH) / 32, "iaip.fc.1.bias": normal(4, WIDTH),
        "iaip.l18.weight": normal(5, ROWS, ROWS) / 4, "iaip.l18.bias": normal(6, ROWS),
        "iaip.l1024.0.weight": normal(7, WIDTH, WIDTH) / 22, "iaip.l1024.0.bias": normal(8, WIDTH),
        **{f"iaip.{name}_shared": normal(9 + place, 1, WIDTH) for place, name in enumerate(SHARED)},
    }  # fmt: skip
    path = tmp_path_factory.mktemp("id-style") / "100000.ckpt"
    torch.save(tensors, path)
    return str(path), tensors


@pytest.fixture(scope="module")
def transformer(tmp_path_factory):
    """Files of two attributes and the latent classifier, and their tensors."""
    folder, found = tmp_path_factory.mktemp("transformer"), {}
    for number in (31, 39):
        weights = {f"dense.{row}.weight": normal(row + number, WIDTH, WIDTH) for row in range(ROWS)}
        found[f"tnet_{number}.pth.tar"] = weights | {f"dense.{row}.bias": normal(row, WIDTH) for row in range(ROWS)}
    widths = (ROWS * WIDTH, 2048, 512, 40)
    found["latent_classifier_epoch_20.pth"] = {
        f"fcs.{place}.{part}": normal(place, *shape) / 30
        for place in range(3)
        for part, shape in (("weight", (widths[place + 1], widths[place])), ("bias", (widths[place + 1],)))
    }
    for name, tensors in found.items():
        torch.save(tensors, folder / name, _use_new_zipfile_serialization=not name.startswith("tnet_31"))
    return folder, found


@pytest.fixture(scope="module")
def their_transformer(generator, transformer, tmp_path_factory):
    """What becomes of the files, and what was said."""
    out, said = tmp_path_factory.mktemp("imported"), io.StringIO()
    with contextlib.redirect_stderr(said):
        assert imported("latent-transformer", transformer[0].iterdir(), generator, out) == 0
    return f"{out}/artifact", said.getvalue()


def imported(form, files, generator, out, *words):
    return main(["train", "import", "--format", form, *map(str, files), "--generator", generator, *words, "--out",
                 str(out)])  # fmt: skip


def edited(out, latents, editor, artifact, *words):
    """Codes of the edits, (rows, 18, 512) by step, in float64."""
    flags = ["--latents", latents, "--artifact", artifact, *words, "--keep", "all", "--local"]
    assert main(["edit", editor, *flags, "--out", str(out)]) == 0
    rows = Table.open(f"{out}/edits").read().to_pandas().sort_values(["index", "step"])
    codes = np.stack([np.stack(list(one)) for one in rows["latent"]])
    return {step: codes[rows["step"] == step].astype(np.float64) for step in rows["step"].unique()}


def test_id_style_edits_as_its_public_code(generator, latents, id_style, tmp_path, capsys):
    path, tensors = id_style
    assert imported("id-style", [path], generator, tmp_path) == 0
    said = capsys.readouterr().err
    assert "states none" in said
    card = Artifact(f"{tmp_path}/artifact").card()
    assert (card.what, card.attributes) == ("id-style", tuple(SHARED.values()))
    assert (card.codes.norm_min, card.codes.norm_max) == (28.74, 36.44)
    assert main(["verify", f"{tmp_path}/artifact"]) == 0
    words = ["--attribute", "smile", "--target", "0"]
    found = edited(tmp_path / "edited", latents, "id-style", f"{tmp_path}/artifact", *words)
    source, moved = torch.from_numpy(found[0]), torch.from_numpy(found[1])
    angle = torch.arange(ROWS).double()[:, None] * 10000 ** (-torch.arange(0, WIDTH, 2).double() / WIDTH)
    positions = torch.stack([angle.sin(), angle.cos()], 2).reshape(ROWS, WIDTH)
    its = {name: value.double() for name, value in tensors.items()}
    x = torch.cat([source, positions.expand(len(source), -1, -1)], 2)
    x = functional.layer_norm(x, (2 * WIDTH,), its["iaip.fc.0.weight"], its["iaip.fc.0.bias"])
    x = functional.relu(x @ its["iaip.fc.1.weight"].T + its["iaip.fc.1.bias"]).transpose(1, 2)
    x = functional.relu(x @ its["iaip.l18.weight"].T + its["iaip.l18.bias"]).transpose(1, 2)
    x = functional.relu(x @ its["iaip.l1024.0.weight"].T + its["iaip.l1024.0.bias"])
    unit = its["iaip.smile_shared"] / its["iaip.smile_shared"].abs().sum()
    layers = its["embedding_attr.weight"][3].clamp(min=0)
    torch.testing.assert_close(moved - source, -layers[:, None] * (unit + unit * x), atol=2e-6, rtol=1e-4)
    assert float((moved - source).abs().max()) > 1e-3


def test_the_latent_transformer_edits_as_its_public_code(latents, transformer, their_transformer, tmp_path, capsys):
    artifact, said = their_transformer
    assert "--layers 0-10" in said
    assert set(Artifact(artifact).card().attributes) == {"smile", "young"}
    words = ["--attribute", "young", "--alphas=-1.5,0.5", "--layers", "0-10"]
    found = edited(tmp_path, latents, "latent-transformer", artifact, *words)
    assert re.search(r"norms of 311.7 to 336.9, and 4 of the first 4 here lie outside", capsys.readouterr().err)
    source = torch.from_numpy(found[0])
    its = {name: value.double() for name, value in transformer[1]["tnet_39.pth.tar"].items()}
    for step, alpha in ((1, -1.5), (2, 0.5)):
        wanted = source.clone()
        for row in range(11):
            weight = its[f"dense.{row}.weight"] / math.sqrt(WIDTH)
            wanted[:, row] += alpha * (source[:, row] @ weight.T + its[f"dense.{row}.bias"])
        torch.testing.assert_close(torch.from_numpy(found[step]), wanted, atol=1e-4, rtol=1e-4)


def test_the_latent_classifier_has_the_slope_of_the_public_code(latents, transformer, their_transformer, tmp_path):
    words = ["--attribute", "smile", "--target", "flip"]
    found = edited(tmp_path, latents, "latent-transformer", their_transformer[0], *words)
    tensors = transformer[1]
    x = torch.from_numpy(found[0]).flatten(1)
    its = {name: value.double() for name, value in tensors["latent_classifier_epoch_20.pth"].items()}
    for place in range(3):
        x = x @ its[f"fcs.{place}.weight"].T + its[f"fcs.{place}.bias"]
        x = functional.leaky_relu(x, 0.2) if place < 2 else x
    weight = torch.stack([tensors["tnet_31.pth.tar"][f"dense.{row}.weight"] for row in range(ROWS)]).double()
    bias = torch.stack([tensors["tnet_31.pth.tar"][f"dense.{row}.bias"] for row in range(ROWS)]).double()
    moved = torch.einsum("lij,nlj->nli", weight, torch.from_numpy(found[0])) / math.sqrt(WIDTH) + bias
    side = torch.where(x[:, 31] > 0, -1.25, 1.25)
    wanted = torch.from_numpy(found[0]) + side[:, None, None] * moved
    torch.testing.assert_close(torch.from_numpy(found[1]), wanted, atol=1e-4, rtol=1e-4)


def test_what_does_not_fit_is_said_in_one_line(generator, id_style, transformer, tmp_path, capsys):
    folder, _ = transformer
    tnet, classifier = folder / "tnet_31.pth.tar", folder / "latent_classifier_epoch_20.pth"
    unnamed, broken = tmp_path / "smile.pth.tar", tmp_path / "100000.ckpt"
    unnamed.write_bytes(tnet.read_bytes())
    broken.write_bytes(Path(id_style[0]).read_bytes()[:1000])
    capsys.readouterr()
    for form, files, network, said in (
        ("id-style", [classifier], generator, "it has no tensor embedding_attr.weight"),
        ("id-style", [broken], generator, "not a whole PyTorch checkpoint"),
        ("id-style", [tmp_path / "none.ckpt"], generator, "there is no such file"),
        ("id-style", [id_style[0]], "stylegan2-tiny", "rows of w+, and these editors are trained for 18"),
        ("latent-transformer", [tnet], generator, "0 of the files tnet_31.pth.tar are a latent classifier"),
        ("latent-transformer", [classifier], generator, "a transformation is needed besides"),
        ("latent-transformer", [classifier, unnamed], generator, "call it tnet_NUMBER.pth.tar"),
        ("latent-transformer", [classifier, tnet, tnet], generator, "tnet_31.pth.tar is given twice"),
    ):
        assert imported(form, files, network, tmp_path / "out") == 2, said
        line = capsys.readouterr().err.strip()
        assert said in line
        assert "\n" not in line
    assert not (tmp_path / "out").exists()
