"""Faces that an editor made are not made again for scores and pictures: passes counted, and each set beside its own."""

import io
from collections import Counter

import numpy as np
import pytest
import torch
from edits import edit, planted, sample
from PIL import Image

import schemas
from pipeline.models import classifiers, generators
from pipeline.models.codes import Codes
from pipeline.models.faces import FaceScorer
from pipeline.models.generators.stylegan2 import StyleGAN2
from pipeline.tables import Table

ROWS, STEPS, B = 10, 3, 4
BATCHES = 3
"""Micro-batches of ROWS in parts of 8."""
IALS = ["ials", "--attribute", "old", "--preserve", "eyeglasses", "--space", "w", "--step-size", "0.5"]
IALS += ["--steps", str(STEPS)]
SEEN = ["--scores", "both", "--images", "png", "--size", "32"]
SCORED = ("smile", "male", "old", "eyeglasses", "yaw")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    made = tmp_path_factory.mktemp("inputs")
    latents = sample(made, ROWS, 8)
    planted(made / "planted", names=("old", "eyeglasses", "male"))
    return latents, made / "planted"


@pytest.fixture
def passes(monkeypatch):
    """How many passes through the generator there were, by their rows."""
    seen, real = Counter(), StyleGAN2.run

    def run(self, s_NS, *about):
        seen[len(s_NS)] += 1
        return real(self, s_NS, *about)

    monkeypatch.setattr(StyleGAN2, "run", run)
    monkeypatch.setattr(FaceScorer, "warm_up", lambda self, batch_size, gradients=False: None)
    return seen


def made_on_their_own(out, atol=1e-4):
    """Every row of a table of edits beside its face, made and scored alone; the pictures beside those."""
    generator = generators.load("stylegan2-tiny", backend="eager")
    families = {"": "tiny", "judge_": "tiny-judge"}
    loaded = {prefix: classifiers.load(name, SCORED, measures=()) for prefix, name in families.items()}
    rows = Table.open(f"{out}/edits").read()
    latent = torch.tensor(schemas.to_numpy(rows["latent"]))
    alone = FaceScorer(generator, loaded, picture_size=32).look_at_all(Codes("w", latent), 1)
    for name in alone:
        if name in rows.column_names:
            np.testing.assert_allclose(rows[name].to_numpy(), alone[name], rtol=0, atol=atol)
    pictures = Table.open(f"{out}/edit_images").read()
    assert pictures.select(["index", "request", "step"]).equals(rows.select(["index", "request", "step"]))
    for picture, pixels in zip(pictures["image"].to_pylist(), alone["pixels"], strict=True):
        there = np.asarray(Image.open(io.BytesIO(picture["bytes"]))).astype(int)
        assert np.abs(there - pixels).max() <= 1
    return rows


def test_every_step_of_a_search_is_made_once(inputs, passes, tmp_path):
    """The source and all steps but the last were followed; the last is made for its scores and its picture."""
    assert edit(*inputs, tmp_path, *IALS, *SEEN, "--keep", "all") == 0
    assert passes == {1: ROWS * STEPS, B: BATCHES}
    rows = made_on_their_own(tmp_path)
    assert rows.num_rows == ROWS * (STEPS + 1)


def test_rows_that_end_where_they_were_followed_need_no_face_more(inputs, passes, tmp_path):
    assert (
        edit(*inputs, tmp_path, *IALS, *SEEN, "--keep", "all", "--target", "0", "--until", "0.2", "--steps", "60") == 0
    )
    made = dict(passes)
    rows = made_on_their_own(tmp_path)
    stops = Counter(dict(zip(rows["index"].to_pylist(), rows["stop"].to_pylist(), strict=True)).values())
    assert stops["reached"] == ROWS
    assert made == {1: rows.num_rows}
    assert rows.num_rows > 2 * ROWS


def test_where_few_steps_are_kept_the_others_are_not_judged(inputs, passes, tmp_path, monkeypatch):
    families, real = Counter(), classifiers.Family.raw

    def raw(self, x_N3HW, statistics, constant=()):
        families[self.name, len(x_N3HW)] += 1
        return real(self, x_N3HW, statistics, constant)

    monkeypatch.setattr(classifiers.Family, "raw", raw)
    assert edit(*inputs, tmp_path, *IALS, *SEEN, "--keep", "last") == 0
    assert passes == {1: ROWS * STEPS, B: BATCHES}
    assert families == {("tiny", 1): ROWS * STEPS, ("tiny", B): BATCHES, ("tiny-judge", B): BATCHES}
    assert made_on_their_own(tmp_path).num_rows == ROWS


def test_two_requests_share_the_face_of_the_source(inputs, passes, tmp_path):
    words = ["interfacegan", "--attribute", "old,male", "--space", "w", "--strengths=-2,2"]
    assert edit(*inputs, tmp_path, *words, *SEEN) == 0
    assert passes == {B: BATCHES * (1 + 2 * 2)}
    made_on_their_own(tmp_path)


@pytest.mark.parametrize(("scored", "again"), [("old", 0), ("old,smile", 2)])
def test_scores_at_the_strength_that_a_search_took_are_those_that_it_saw(inputs, passes, tmp_path, scored, again):
    """The source and the taken strength: seen, where no more is asked for than the search looked at."""
    asked = ["--attribute", "old", "--space", "w", "--until", "0.5", "--target", "flip", "--bound", "64"]
    assert edit(*inputs, tmp_path / "plain", *asked, "--scores", "none") == 0
    searched = passes.total()
    passes.clear()
    assert edit(*inputs, tmp_path / "scored", *asked, "--scores", "faces", "--scored", scored) == 0
    assert passes.total() == searched + again * BATCHES
