"""Scores of the steps of a trace."""

import math

import numpy as np
import torch

from pipeline.editors import DONE, NOT_FINITE, EditRequest, Trace
from pipeline.stages.dt import points

WISHES = [EditRequest("male", ("old",)), EditRequest("young", ("male",)), EditRequest("male", ("old",))]
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
