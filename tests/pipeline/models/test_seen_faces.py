"""Faces that an editor saw are not made again: passes counted, and what was seen set beside faces made on their own."""

import numpy as np
import pytest
import torch

from pipeline.models import classifiers, generators
from pipeline.models.classifiers.attribute import Reading
from pipeline.models.classifiers.calibration import Scale
from pipeline.models.classifiers.family import Statistics
from pipeline.models.classifiers.networks import Networks
from pipeline.models.codes import Codes
from pipeline.models.faces import FaceScorer
from pipeline.models.seen_faces import SeenFaces

ATTRIBUTES = ("smile", "male", "old")
COLUMNS = ("smile", "old", "judge_smile", "pixels", "picture")
B = 3


@pytest.fixture
def faces(monkeypatch):
    """With `passes`, the rows of each pass through the generator."""
    generator = generators.load("stylegan2-tiny", backend="eager")
    families = {
        prefix: classifiers.load(family, ATTRIBUTES, measures=())
        for prefix, family in (("", "tiny"), ("judge_", "tiny-judge"))
    }
    scorer, passes, real = FaceScorer(generator, families, picture_size=32), [], type(generator).run

    def run(self, s_NS, *about):
        passes.append(len(s_NS))
        return real(self, s_NS, *about)

    monkeypatch.setattr(type(generator), "run", run)
    scorer.passes = passes
    return scorer


def codes(faces, seed=0, rows=B):
    noise = torch.randn(rows, faces.generator.w_dim, generator=torch.Generator().manual_seed(seed))
    return Codes("w", faces.generator.w_avg + noise)


def follow(seen, some, attributes=("male",)):
    """One row at a time, with gradients, as an editor does on a CPU."""
    for row in range(len(some)):
        values = some.values[row : row + 1].clone().requires_grad_()
        scores = seen(Codes("w", values), attributes)
        assert list(scores) == list(attributes)
        (gradient,) = torch.autograd.grad(scores["male"].sum(), values)
        assert gradient.any()


def test_only_what_nobody_saw_is_made(faces):
    seen, old, new = SeenFaces(faces, COLUMNS, all_steps=True), codes(faces), codes(faces, seed=1)
    follow(seen, old.select(slice(0, 1)))
    mixed = Codes("w", torch.cat([old.values[:1], new.values[1:]]))
    slots = np.array([True, True, False])
    found, alone = seen.look(mixed, slots), faces.look(mixed.only([False, True, False]), COLUMNS)
    for name in COLUMNS:
        assert np.array_equal(found[name][1], alone[name][1])
        assert not found[name][2].any()
    faces.passes.clear()
    seen.look(mixed, slots)
    assert faces.passes == []
    seen.look(mixed, np.ones(B, dtype=bool))
    assert faces.passes == [B]
    seen.forget()
    seen.look(mixed, slots)
    assert faces.passes == [B] * 2


def test_a_look_takes_nothing_from_what_was_seen_before(faces):
    seen, some = SeenFaces(faces, COLUMNS, all_steps=True), codes(faces)
    follow(seen, some)
    with torch.no_grad():
        seen(some, ("male",))
    faces.passes.clear()
    seen.look(some, np.ones(B, dtype=bool))
    assert faces.passes == []


def test_one_network_serves_gradients_and_what_is_seen_besides():
    """A network that gives two attributes runs once, be it that one of them alone is followed."""
    passes = []

    class Reader:
        def __init__(self, name):
            self.name = name

        def __call__(self, x_N3HW):
            passes.append((self.name, x_N3HW.requires_grad and torch.is_grad_enabled()))
            return x_N3HW.square().mean(dim=(1, 2, 3))

    def shared(networks):
        return Reader("smile and male")

    readings = {"smile": Reading(shared), "male": Reading(shared, torch.neg)}
    readings["old"] = Reading(lambda networks: Reader("old"))
    scales = dict.fromkeys(ATTRIBUTES, Scale(0.0, 1.0))
    family = classifiers.Family("faces", Statistics(readings, Networks()), scales, ATTRIBUTES, measures=())
    faces = FaceScorer(generators.load("stylegan2-tiny", backend="eager"), {"": family})
    source = Codes("w", codes(faces).values.requires_grad_())
    scores, columns = faces.search(source, attributes=("male",), columns=ATTRIBUTES)
    assert passes == [("smile and male", True), ("old", False)]
    assert list(scores) == ["male"]
    assert scores["male"].requires_grad
    passes.clear()
    seen = faces.look(source)
    assert all(np.array_equal(columns[name], seen[name]) for name in ATTRIBUTES)
