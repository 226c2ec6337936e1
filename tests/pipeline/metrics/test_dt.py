"""DT: counts of rows transformed and kept, from scores, in whatever pieces."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pipeline.errors import SpecError
from pipeline.metrics import DT, Outcomes, in_source_class, measure_groups, merge_groups

METRIC = DT()
NONE = {"count": 0.0, "transformed": 0.0, "kept": 0.0}


def outcomes(rows: int, seed: int) -> Outcomes:
    noise = np.random.default_rng(seed)
    return Outcomes(noise.random(rows) < 0.3, noise.random(rows) < 0.8)


@settings(max_examples=50)
@given(st.integers(1, 200), st.integers(0, 999), st.lists(st.integers(0, 200), max_size=6))
def test_any_pieces_equal_the_shares_of_all_rows(rows, seed, cuts):
    whole = outcomes(rows, seed)
    edges = [0, *sorted(min(cut, rows) for cut in cuts), rows]
    spans = [slice(*span) for span in itertools.pairwise(edges)]
    pieces = [METRIC.measure(Outcomes(whole.transformed[span], whole.kept[span])) for span in spans]
    found = METRIC.finish(METRIC.merge(pieces))
    assert (found["count"], found["p"], found["q"]) == (rows, whole.transformed.mean(), whole.kept.mean())
    for name, hits in (("p", whole.transformed.sum()), ("q", whole.kept.sum())):
        wanted = stats.binomtest(int(hits), rows).proportion_ci(0.95, method="wilson")
        assert (found[f"{name}_low"], found[f"{name}_high"]) == pytest.approx(tuple(wanted), rel=1e-12, abs=1e-15)


def test_steps_are_groups():
    noise = np.random.default_rng(1)
    whole = Outcomes(noise.random((30, 4)) < 0.5, noise.random((30, 4)) < 0.5)
    long = Outcomes(whole.transformed.ravel(), whole.kept.ravel())
    found = merge_groups(METRIC, [measure_groups(METRIC, [1, 2, 3, 4] * 30, long)])
    for step in (1, 2, 3, 4):
        assert found[step] == METRIC.measure(whole.step(step))
        wanted = (30, whole.transformed[:, step - 1].sum(), whole.kept[:, step - 1].sum())
        assert tuple(found[step].values()) == wanted


def test_outcomes_equal_the_definition_row_by_row():
    noise = np.random.default_rng(2)
    primal, condition = noise.standard_normal((2, 60, 6)).astype(np.float32)
    target = (primal[:, 0] <= 0).astype(np.int64)
    found = Outcomes.of_scores(primal, condition, target)
    assert found.transformed.shape == found.kept.shape == (60, 5)
    for row, step in itertools.product(range(60), range(1, 6)):
        side = 1 if primal[row, step] > 0 else 0
        assert found.transformed[row, step - 1] == (side == target[row])
        assert found.kept[row, step - 1] == ((condition[row, step] > 0) == (condition[row, 0] > 0))
    assert 0.3 < found.transformed.mean() < 0.7
    assert 0.3 < found.kept.mean() < 0.7


def test_zero_is_not_beyond_the_boundary():
    up = Outcomes.of_scores([[0.0, 0.0, 1e-9]], [[0.0, -1.0, 1e-9]], 1)
    assert (up.transformed.tolist(), up.kept.tolist()) == ([[False, True]], [[True, False]])
    down = Outcomes.of_scores([[1.0, 1e-9, 0.0]], [[1.0, 1.0, 0.0]], 0)
    assert (down.transformed.tolist(), down.kept.tolist()) == ([[False, True]], [[True, False]])


def test_rows_that_start_on_the_targets_side_are_told_and_refused():
    primal = np.array([[-1.0, 1.0], [1.0, 1.0], [0.0, 1.0]])
    assert in_source_class(primal[:, 0], 1).tolist() == [True, False, True]
    assert in_source_class(primal[:, 0], [0, 0, 1]).tolist() == [False, True, True]
    with pytest.raises(SpecError, match="row 1 starts on the target's side"):
        Outcomes.of_scores(primal, primal, 1)


def test_bad_input_is_named():
    yes = np.ones(3, bool)
    with pytest.raises(SpecError, match="kept is int64: give bool"):
        METRIC.measure(Outcomes(yes, np.ones(3, np.int64)))
    with pytest.raises(SpecError, match=r"\(3,\) and \(2,\)"):
        METRIC.measure(Outcomes(yes, yes[:2]))
    with pytest.raises(SpecError, match=r"\(1, 3\) and \(1, 3\)"):
        METRIC.measure(Outcomes(yes[None], yes[None]))
    for target in (2, [1, 1], [[1, 1, 1]], -1, [1, 0, 0.5]):
        with pytest.raises(SpecError, match="targets are 0 or 1"):
            in_source_class(-np.ones(3), target)
    with pytest.raises(SpecError, match="condition: row 1 is not finite"):
        Outcomes.of_scores(-np.ones((2, 2)), [[0.0, 0.0], [0.0, np.nan]], 1)
    with pytest.raises(SpecError, match=r"\(2, 2\) and \(2, 3\)"):
        Outcomes.of_scores(-np.ones((2, 2)), np.ones((2, 3)), 1)
    for number in (0, 3):
        with pytest.raises(SpecError, match=f"step {number} is not one of the 2"):
            Outcomes.of_scores(-np.ones((2, 3)), np.ones((2, 3)), 1).step(number)
