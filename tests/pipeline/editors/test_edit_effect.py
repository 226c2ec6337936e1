"""Which way a score went, from strengths and scores as editors and tables have them."""

import numpy as np
import torch

from pipeline.editors import Trace
from pipeline.editors.effect import Effect, counted, effects, slope_of_columns, slope_of_trace, slopes

NAN = float("nan")


def test_the_score_at_the_largest_strength_against_that_at_the_smallest():
    strength = [[0, 1, 2], [0, -1, -2], [0, -3, 3], [0, 1, 2], [0, 0, 0], [0, 1, 2]]
    score = [[1, 0, 2], [1, 0, 0], [5, 1, 0], [1, 0, NAN], [1, 2, 3], [NAN, NAN, 1]]
    there = np.ones((6, 3), dtype=bool)
    assert slopes(strength, score, there).tolist() == [1, 1, -1, -1, 0, 0]
    there[0, 2] = False
    assert slopes(strength, score, there).tolist()[0] == -1
    assert slopes(strength, None, there).tolist() == [0] * 6


def _trace(scores):
    steps = torch.arange(3).expand(2, 3)
    return Trace("w", torch.zeros(2, 3, 4), steps, steps.double(), scores, ("done", "done"))


def test_what_the_editor_saw_under_its_own_name_or_an_opposite():
    seen = {"old": torch.tensor([[0.0, 1.0, 2.0], [0.0, -1.0, NAN]])}
    assert slope_of_trace(_trace(seen), ["old"]).tolist() == [1, -1]
    assert slope_of_trace(_trace(seen), ["young"]).tolist() == [-1, 1]
    assert slope_of_trace(_trace(seen), ["smile"]).tolist() == [0, 0]
    assert slope_of_trace(_trace({}), ["old"]).tolist() == [0, 0]


def test_of_several_attributes_one_against_the_edit_is_enough():
    seen = {name: torch.tensor(scores) for name, scores in {
        "old": [[0.0, 1.0, 2.0], [0.0, 1.0, 2.0]], "smile": [[0.0, 1.0, 2.0], [0.0, -1.0, -2.0]],
    }.items()}  # fmt: skip
    assert slope_of_trace(_trace(seen), ["smile", "old"]).tolist() == [1, -1]
    assert slope_of_trace(_trace({"old": seen["old"]}), ["smile", "old"]).tolist() == [1, 1]
    columns = {"judge_smile": seen["smile"].numpy(), "old": seen["old"].numpy()}
    strength, there = np.arange(3.0)[None].repeat(2, 0), np.ones((2, 3), dtype=bool)
    assert slope_of_columns(columns, ["smile", "old"], strength, there, "judge_").tolist() == [1, -1]


def test_counts_of_shards_add_up():
    slope = np.array([[1, -1], [-1, -1], [0, 0]], dtype=np.int8)
    stop = np.array([["reached", "done"], ["not reached within 10", "done"], ["not finite", "done"]], dtype=object)
    found = counted(slope, stop, np.array([[2, 2], [2, 2], [2, 2]]))
    assert effects([found, found, {}], 2) == [Effect(4, 2, 2), Effect(4, 4, 0)]


def test_rows_that_stay_are_counted_by_reason():
    slope = np.zeros((6, 2), dtype=np.int8)
    one = ["reached", "reached", "no mouth", "not reached within 10", "done", "reached"]
    stop = np.array([[why, "done"] for why in one], dtype=object)
    last = np.array([[0, 1], [2, 1], [0, 1], [0, 1], [0, 1], [0, 1]])
    found = counted(slope, stop, last)
    stayed = [effect.stayed for effect in effects([found, found, {}], 2)]
    assert stayed == [{"reached": 4, "no mouth": 2}, {}]
    assert list(stayed[0]) == ["reached", "no mouth"]
