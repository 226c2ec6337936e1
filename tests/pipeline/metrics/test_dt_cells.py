"""Cells of one pair: which rows are measured, by each family, and the areas beside those of the curves themselves."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from pipeline.errors import SpecError
from pipeline.metrics import (
    Curve,
    Outcomes,
    auc,
    auc_as_released,
    cell_areas,
    normalised_auc,
    pair_outcomes,
    paired_differences,
)

CELLS = ("shared", "mixed")


def scores(rows=40, points=6, seed=0):
    """(C, R, P, 4): a primal that rises from below 0, a condition that drifts, as two families see them."""
    noise = np.random.default_rng(seed)
    primal = -np.abs(noise.normal(1, 0.5, (rows, 1))) + noise.gamma(2, 0.4, (2, rows, 1)) * np.arange(points)
    condition = noise.normal(0, 1, (rows, 1)) + noise.normal(0, 0.4, (2, rows, 1)) * np.arange(points)
    seen = np.stack([primal + 0.2, condition, primal, condition], axis=-1)
    seen[:, :, 1:, :2] += noise.normal(0, 0.2, (2, rows, points - 1, 2))
    return seen.astype(np.float32)


def test_a_row_that_is_missing_or_starts_on_the_other_side_in_one_cell_is_left_out_of_all():
    seen = scores()
    seen[1, 3, 2, 0] = np.nan
    seen[0, 5, 0, 2] = 0.5
    found = pair_outcomes(seen, CELLS, "judge", "own", 1)
    judge, own = found.families["judge"], found.families["own"]
    assert list(found.families) == ["judge", "own"]
    assert (found.rejected, judge.started_there) == (1, 1)
    assert not judge.rows[[3, 5]].any()
    assert judge.rows.sum() == 38
    there = np.delete(np.arange(40), 3)
    assert own.started_there == (seen[:, there, 0, 0] > 0).any(axis=0).sum() > 0
    classes = seen[:, there].reshape(-1, 4) > 0
    assert found.kappa == pytest.approx(min(cohen_kappa_score(classes[:, i], classes[:, i + 2]) for i in (0, 1)))
    for place, cell in enumerate(CELLS):
        mine = seen[place, judge.rows]
        np.testing.assert_array_equal(judge.by_cell[cell].transformed, mine[:, 1:, 2] > 0)
        np.testing.assert_array_equal(judge.by_cell[cell].kept, (mine[:, 1:, 3] > 0) == (mine[:, :1, 3] > 0))


def test_towards_the_other_side_rows_start_with_the_attribute():
    found = pair_outcomes(-scores(), CELLS, "judge", "own", 0)
    assert found.families["judge"].rows.all()


def test_areas_are_those_of_the_curves():
    by_cell = pair_outcomes(scores(), CELLS, "judge", "own", 1).families["judge"].by_cell
    found = cell_areas(by_cell, "shared")
    curves = {cell: Curve.of(one.transformed.mean(axis=0), one.kept.mean(axis=0)) for cell, one in by_cell.items()}
    common = min(curve.p_max for curve in curves.values())
    for cell, area in found.items():
        assert (area.rows, area.p_max, area.common) == (40, curves[cell].p_max, common)
        assert area.auc_to_p_max == auc(curves[cell])
        assert area.auc_normalised == normalised_auc(curves[cell])
        assert area.auc_common == normalised_auc(curves[cell], common)
    assert found["shared"].difference is None
    assert found["mixed"].difference == paired_differences(by_cell, "shared")["mixed"]
    assert cell_areas({"mixed": by_cell["mixed"]}, "shared")["mixed"].difference is None


def test_no_row_has_no_area():
    nothing = np.zeros((0, 3), dtype=bool)
    with pytest.raises(SpecError, match="no row"):
        cell_areas({"shared": Outcomes(nothing, nothing)}, "shared")


def test_as_released_a_p_that_falls_is_taken_off():
    assert auc_as_released([0.5, 1.0], [1.0, 1.0]) == 1.0
    assert auc_as_released([0.5, 0.25], [1.0, 0.5]) == 0.5 - 0.25 * 0.75
