"""A PGGAN has codes in z alone, and says so."""

from collections.abc import Callable
from typing import Any

import original_cases as cases
import pytest
import torch

from jobs.__main__ import main
from pipeline.errors import SpecError
from pipeline.models import classifiers, generators
from pipeline.models.backend import Backend
from pipeline.models.codes import Codes
from pipeline.models.faces import FaceScorer
from pipeline.models.generators.architectures import build
from pipeline.models.generators.generator import Generator


@pytest.fixture(scope="module")
def pggan() -> Generator:
    return build(cases.checkpoint("pggan", cases.kept()["pggan"]["shapes"]), "mine", Backend.eager())


@torch.no_grad()
def test_rows_sizes_and_layers(pggan: Generator) -> None:
    z = cases.latents(pggan.z_dim)
    x = pggan.synthesize(Codes("z", z))
    others = torch.cat([-z[:1], z[1:]])
    assert torch.equal(pggan.synthesize(Codes("z", others))[1], x[1])
    assert pggan.sizes == (32, 16, 8, 4)
    mean = torch.nn.functional.avg_pool2d(x, 4)
    torch.testing.assert_close(pggan.synthesize(Codes("z", z), 8), mean)
    layers = len(pggan.style_layers)
    half = pggan.run(z, pggan.start(len(z)), 0, 4)
    assert half.features.shape[-1] == 8
    assert torch.equal(pggan.image(pggan.run(z, half, 4, layers)), x)
    torch.testing.assert_close(pggan.synthesize(Codes("z", 3 * z)), x)


@pytest.mark.parametrize(
    "asks",
    [
        lambda generator: generator.w_dim,
        lambda generator: generator.num_ws,
        lambda generator: generator.stylegan2_rows,
        lambda generator: generator.map(torch.zeros(1, 48)),
        lambda generator: generator.truncate(torch.zeros(1, 1, 48), 0.5),
        lambda generator: generator.truncated(torch.zeros(1, 48), 0.7),
        lambda generator: generator.styles(torch.zeros(1, 1, 48)),
        lambda generator: generator.check_cutoff(3),
    ],
)
def test_what_needs_w_says_that_there_is_none(asks: Callable[[Generator], Any], pggan: Generator) -> None:
    with pytest.raises(SpecError, match="mine is a PGGAN: its codes are in z"):
        asks(pggan)


@pytest.mark.parametrize("space", ["w", "w+", "s"])
def test_codes_in_another_space_are_refused(space: Any, pggan: Generator) -> None:
    values = torch.zeros(1, 1, 48) if space == "w+" else torch.zeros(1, 48)
    with pytest.raises(SpecError, match=r"mine takes codes in z, not in"):
        pggan.synthesize(Codes(space, values))


def test_faces_are_scored_and_gradients_reach_z(pggan: Generator) -> None:
    family = classifiers.load("tiny", ["smile"])
    faces = FaceScorer(pggan, {"": family})
    faces.warm_up(2, gradients=True)
    z = cases.latents(48).requires_grad_()
    (gradient,) = torch.autograd.grad(faces(Codes("z", z))["smile"].sum(), z)
    assert (gradient.abs().amax(dim=1) > 0).all()
    with pytest.raises(SpecError, match="no truncation"):
        FaceScorer(pggan, {"": family}, psi=0.7)(Codes("z", z))


@pytest.mark.parametrize("words", ["sample --rows 4", "dataset --rows 4 --classifiers tiny"])
def test_jobs_say_so_before_they_start(words, pggan, tmp_path, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(generators.GENERATORS, "mine", lambda backend: pggan)
    out = tmp_path / "out"
    assert main([*words.split(), "--generator", "mine", "--local", "--out", str(out)]) == 2
    assert "mine is a PGGAN: its codes are in z" in capsys.readouterr().err
    assert not out.exists()
