"""The paired bootstrap: against a loop over resampled rows, and against what its interval promises."""

import math

import numpy as np
import pytest

from pipeline.errors import SpecError
from pipeline.metrics import (
    Curve,
    Difference,
    Outcomes,
    auc,
    bootstrap,
    common_range,
    normalised_auc,
    paired_differences,
)


def cell(noise, rows, steps, reach=0.8, spoil=0.3, common=None):
    """Rows that are transformed one after the other up to a share `reach`, and lose the condition on the way.

    common: what two cells share of a row, so that they are paired.
    """
    common = noise.random((rows, 1)) if common is None else common
    way = np.linspace(1 / steps, 1, steps)
    hard = 0.7 * common + 0.3 * noise.random((rows, 1))
    frail = 0.7 * (1 - common) + 0.3 * noise.random((rows, 1))
    return Outcomes(hard < reach * way, frail >= spoil * way)


def test_it_is_a_loop_over_resampled_rows(monkeypatch):
    noise = np.random.default_rng(1)
    cells = {"a": cell(noise, 13, 5), "b": cell(noise, 13, 5, 0.2), "c": cell(noise, 13, 7, 0.5, 0.9)}
    found = paired_differences(cells, "a", 300, seed=5)
    assert list(found) == ["b", "c"]
    drawn = np.random.default_rng(5).integers(13, size=(300, 13))
    for name in "bc":
        some, left_out = [], 0
        for rows in drawn:
            mine, other = (
                Curve.of(which.transformed[rows].mean(0), which.kept[rows].mean(0))
                for which in (cells[name], cells["a"])
            )
            if end := common_range([mine, other]):
                some.append(normalised_auc(mine, end) - normalised_auc(other, end))
            else:
                left_out += 1
        assert found[name].left_out == left_out
        assert found[name].resamples == 300 == left_out + len(some)
        wanted = (np.mean(some), *np.quantile(some, [0.025, 0.975]))
        assert (found[name].mean, found[name].low, found[name].high) == pytest.approx(wanted, abs=1e-12)
    assert found["b"].left_out > 0
    monkeypatch.setattr(bootstrap, "BLOCK", 13 * 7)
    assert paired_differences(cells, "a", 300, seed=5) == found
    assert paired_differences(cells, "a", 300, seed=6) != found


def test_observed_is_of_the_rows_as_they_are():
    noise = np.random.default_rng(2)
    cells = {(1.0, 1.0): cell(noise, 50, 8), (0.75, 0.0): cell(noise, 50, 6, 0.5, 0.1)}
    found = paired_differences(cells, (1.0, 1.0), 20)[0.75, 0.0]
    first, other = (Curve.of(some.transformed.mean(0), some.kept.mean(0)) for some in cells.values())
    assert found.observed == pytest.approx(normalised_auc(other) - auc(first, other.p_max) / other.p_max, abs=1e-12)


def test_every_cell_has_the_same_rows_of_a_resample():
    """So a cell and its copy do not differ, however few the rows; and the order of the rows only moves the noise."""
    some = cell(np.random.default_rng(3), 30, 6)
    found = paired_differences({"a": some, "b": Outcomes(some.transformed.copy(), some.kept.copy())}, "a", 500)["b"]
    assert found == Difference(0.0, 0.0, 0.0, 0.0, 500, found.left_out)
    assert found.verdict == "not decided"


def test_rounding_is_not_a_difference():
    """Where nothing spoils the condition, q is 1 on both curves, whatever their p."""
    noise = np.random.default_rng(4)
    cells = {name: cell(noise, 7, steps, spoil=0.0) for name, steps in (("a", 3), ("b", 20), ("c", 10))}
    for found in paired_differences(cells, "a", 200).values():
        assert (found.low, found.high, found.verdict) == (0.0, 0.0, "not decided")


def test_a_clear_difference_is_decided_with_its_sign():
    noise = np.random.default_rng(5)
    common = noise.random((300, 1))
    cells = {name: cell(noise, 300, 10, 0.9, spoil, common) for name, spoil in (("a", 0.5), ("b", 0.2), ("c", 0.9))}
    found = paired_differences(cells, "a", 400)
    assert (found["b"].verdict, found["c"].verdict) == ("better", "worse")
    for each in found.values():
        assert each.low < each.mean < each.high
        assert each.low < each.observed < each.high


def test_nineteen_of_twenty_intervals_hold_the_truth():
    """Of two cells that are made alike, the difference is 0."""
    held = []
    for seed in range(300):
        noise = np.random.default_rng(seed)
        common = noise.random((60, 1))
        cells = {name: cell(noise, 60, 6, 0.8, 0.6, common) for name in "ab"}
        held.append(paired_differences(cells, "a", 200, seed)["b"].verdict == "not decided")
    assert 0.91 < np.mean(held) < 0.98


def test_resamples_without_a_common_range_are_counted_and_left_out():
    yes, no = np.ones((40, 3), bool), np.zeros((40, 3), bool)
    none = paired_differences({"a": Outcomes(yes, yes), "b": Outcomes(no, no)}, "a", 50)["b"]
    assert (none.resamples, none.left_out, none.verdict) == (50, 50, "not decided")
    assert all(math.isnan(value) for value in (none.observed, none.mean, none.low, none.high))
    one = no.copy()
    one[0] = True  # drawn in 1 - (1 - 1/40)^40 = 64 % of the resamples
    rare = paired_differences({"a": Outcomes(yes, yes), "b": Outcomes(one, no)}, "a", 1000)["b"]
    assert 300 < rare.left_out < 430
    assert rare.high < -0.4
    assert rare.verdict == "not decided"


def test_verdict():
    assert Difference(0.1, 0.1, 0.05, 0.2, 1000, 25).verdict == "better"
    assert Difference(-0.1, -0.1, -0.2, -0.05, 1000, 25).verdict == "worse"
    assert Difference(0.1, 0.1, 0.05, 0.2, 1000, 26).verdict == "not decided"
    for low, high in ((-0.1, 0.1), (0.0, 0.1), (-0.1, 0.0)):
        assert Difference(0.0, 0.0, low, high, 1000, 0).verdict == "not decided"


def test_bad_input_is_named():
    some = cell(np.random.default_rng(6), 10, 4)
    with pytest.raises(SpecError, match="no cell c to compare with, only a"):
        paired_differences({"a": some}, "c")
    with pytest.raises(SpecError, match="0 resamples"):
        paired_differences({"a": some}, "a", 0)
    with pytest.raises(SpecError, match="cells have 7, 10 rows"):
        paired_differences({"a": some, "b": Outcomes(some.transformed[:7], some.kept[:7])}, "a")
    with pytest.raises(SpecError, match="cells have 0 rows"):
        paired_differences({"a": Outcomes(some.transformed[:0], some.kept[:0])}, "a")
    with pytest.raises(SpecError, match=r"outcomes of b have the shapes \(10, 4\) and \(10, 3\)"):
        paired_differences({"a": some, "b": Outcomes(some.transformed, some.kept[:, :3])}, "a")
    with pytest.raises(SpecError, match="kept of b is float64"):
        paired_differences({"a": some, "b": Outcomes(some.transformed, some.kept * 1.0)}, "a")
    assert paired_differences({"a": some}, "a") == {}
