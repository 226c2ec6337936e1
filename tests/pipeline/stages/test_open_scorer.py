"""How a job opens a generator and its classifiers: checked against what it was started with, followed or not."""

from contextlib import nullcontext
from dataclasses import replace

import pytest
import torch

from pipeline.errors import ModelFileError, SpecError
from pipeline.models import classifiers, generators
from pipeline.models.classifiers import parsing
from pipeline.models.codes import Codes
from pipeline.models.faces import FaceScorer
from pipeline.stages.models import ClassifierRef, Model, Runtime, open_scorer

RUNTIME = Runtime("cpu", 1, "eager", "fp32", 2)
ATTRIBUTES = ("smile", "old")


def ref(name="tiny", prefix="", measures=()):
    fingerprint = classifiers.load(name, ATTRIBUTES, measures=measures).fingerprint
    return ClassifierRef(Model(name, fingerprint), ATTRIBUTES, prefix, measures)


@pytest.fixture(scope="module")
def generator():
    return generators.load("stylegan2-tiny", backend="eager")


def codes(generator):
    return Codes("w", generator.w_avg.repeat(2, 1).requires_grad_())


def test_the_first_family_is_followed_where_gradients_are_computed(generator):
    for follow in (False, True):
        faces = open_scorer(generator, RUNTIME, [ref(), ref(prefix="judge_")], follow=follow)
        scores = faces(codes(generator))
        assert list(scores) == ["smile", "old", "judge_smile", "judge_old"]
        assert [name for name, score in scores.items() if score.requires_grad] == list(ATTRIBUTES) * follow
    with pytest.raises(SpecError, match="tiny-judge only measures and has no gradients"):
        open_scorer(generator, RUNTIME, [ref("tiny-judge"), ref(prefix="judge_")], follow=True)


@pytest.mark.parametrize("parsed", [True, False])
def test_where_masks_are_asked_for_gradients_of_pixels_are_warmed_up(generator, monkeypatch, parsed):
    """Out of memory is then told before the first row, as the flag to change."""
    run = type(generator).run

    def full(self, s_NS, *args):
        if s_NS.requires_grad:
            raise torch.OutOfMemoryError("out of memory. Tried to allocate 8 GiB")
        return run(self, s_NS, *args)

    monkeypatch.setattr(type(generator), "run", full)
    parser = Model("tiny", parsing.load("tiny").fingerprint) if parsed else None
    with pytest.raises(SpecError, match="no room for micro-batches of 2: pass") if parsed else nullcontext():
        open_scorer(generator, RUNTIME, [], parser=parser)


def test_masks_and_pixels_are_warmed_up_in_batches_of_the_rows_to_come(generator, monkeypatch):
    seen = []
    run, masks = type(generator).run, FaceScorer.masks
    monkeypatch.setattr(
        type(generator), "run", lambda self, s, *args: (seen.append((len(s), s.requires_grad)), run(self, s, *args))[1]
    )
    monkeypatch.setattr(FaceScorer, "masks", lambda self, x: (seen.append(("masks", len(x))), masks(self, x))[1])
    faces = FaceScorer(generator, {}, parser=parsing.load("tiny"))
    for at_once, rows in ((1, 1), (None, 3)):
        seen.clear()
        faces.at_once = at_once
        faces.warm_up_masks(3)
        assert seen == [(rows, False), ("masks", rows), (rows, True)]
    assert faces.take_seconds() == {}


def test_measures_are_columns_of_the_family_that_takes_them(generator):
    faces = open_scorer(generator, RUNTIME, [ref(measures=("age_years",)), ref("tiny-judge", "judge_")])
    assert list(faces.look(codes(generator))) == ["smile", "old", "age_years", "judge_smile", "judge_old"]


def test_networks_that_are_others_than_at_the_start_are_refused(generator):
    other = replace(ref(), family=Model("tiny", "0" * 64))
    with pytest.raises(ModelFileError, match=r"tiny has the fingerprint .* the job was started with 000000000000"):
        open_scorer(generator, RUNTIME, [other])
