"""Scores of the steps of a trace, and which classifiers are asked for them."""

import math

import numpy as np
import pytest
import torch

from pipeline.editors import DONE, NOT_FINITE, Trace
from pipeline.errors import SpecError
from pipeline.models import classifiers, generators
from pipeline.models.classifiers.family import Family
from pipeline.models.codes import Codes
from pipeline.stages.dt import points
from pipeline.stages.looking import Panel
from pipeline.stages.method import Wanted
from pipeline.stages.models import Model, Runtime
from pipeline.stages.sight import Sight

WISHES = [Wanted("male", ("old",)), Wanted("young", ("male",)), Wanted("male", ("old",))]
NAMES = ("male", "old", "judge_male", "judge_old")


def trace(stops=(DONE, "nothing is left", NOT_FINITE)) -> Trace:
    """Three rows, of which the second stops after one step, all after two."""
    scores = {name: 100.0 * place + torch.arange(9, dtype=torch.float64).view(3, 3) for place, name in enumerate(NAMES)}
    steps = torch.tensor([[0, 1, 2], [0, 1, -1], [-1, -1, -1]])
    strengths = torch.tensor([[0.0, 0.5, 1.0]] * 3, dtype=torch.float64)
    return Trace("w", torch.zeros(3, 3, 2), steps, strengths, scores, stops)


def test_a_row_stands_still_after_its_last_step():
    found = points(trace(), WISHES, 4, "judge_")
    assert {name: column.dtype for name, column in found.items()} == dict.fromkeys(found, np.float32)
    assert found["strength"][0].tolist() == [0.0, 0.5, 1.0, 1.0, 1.0]
    assert found["primal"][0].tolist() == [0.0, 1.0, 2.0, 2.0, 2.0]
    assert found["condition"][0].tolist() == [100.0, 101.0, 102.0, 102.0, 102.0]
    assert found["judge_primal"][0].tolist() == [200.0, 201.0, 202.0, 202.0, 202.0]
    assert found["judge_condition"][0].tolist() == [300.0, 301.0, 302.0, 302.0, 302.0]
    assert found["strength"][1].tolist() == [0.0, 0.5, 0.5, 0.5, 0.5]
    assert found["primal"][1].tolist() == [-103.0, -104.0, -104.0, -104.0, -104.0]  # young is the opposite of old
    assert found["judge_condition"][1].tolist() == [203.0, 204.0, 204.0, 204.0, 204.0]


def test_a_row_that_is_not_finite_is_nowhere():
    assert all(math.isnan(value) for column in points(trace(), WISHES, 2, "judge_").values() for value in column[2])


@pytest.fixture(scope="module")
def sight():
    attributes = ("smile", "male", "old")
    panels = [
        Panel(Model(name, classifiers.load(name, attributes, measures=()).fingerprint), attributes, prefix)
        for name, prefix in (("tiny", ""), ("tiny-judge", "judge_"))
    ]
    generator = generators.load("stylegan2-tiny", backend="eager")
    return Sight(generator, Runtime("cpu", 1, "eager", "fp32", 2), panels)


def test_a_sight_of_some_attributes_asks_for_those_alone(sight, monkeypatch):
    codes = Codes("w", torch.randn(2, sight.generator.w_dim, generator=torch.Generator().manual_seed(1)))
    whole, asked, raw = sight(codes), [], Family.raw

    def noted(self, x_N3HW, statistics):
        asked.append(tuple(statistics))
        return raw(self, x_N3HW, statistics)

    monkeypatch.setattr(Family, "raw", noted)
    some = sight(codes, ["old", "smile"])
    assert asked == [("smile", "old")] * 2
    assert list(some) == ["smile", "old", "judge_smile", "judge_old"]
    assert all(torch.equal(some[name], whole[name]) for name in some)


def test_a_judge_is_not_followed(sight):
    panels = sight.panels[::-1]
    with pytest.raises(SpecError, match="tiny-judge judges and gives no gradient"):
        Sight(sight.generator, Runtime("cpu", 1, "eager", "fp32", 2), panels)
