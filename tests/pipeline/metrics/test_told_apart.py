"""How well yes and no are told: against scikit-learn, and against a loop over resampled rows."""

import numpy as np
import pytest
from sklearn import metrics as sk

from pipeline.metrics.bootstrap import BETTER, FEWEST, NOT_DECIDED
from pipeline.metrics.told_apart import f1_difference, figures

ROWS = 120


def told(wrong, seed=1, rows=ROWS):
    noise = np.random.default_rng(seed)
    true = np.arange(rows) % 3 == 0
    return true, np.where(noise.random(rows) < wrong, ~true, true)


def test_figures_are_those_of_scikit_learn():
    true, said = told(0.2)
    found = figures(true, said)
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(true, said))
    assert found["precision"] == pytest.approx(sk.precision_score(true, said))
    assert found["recall"] == pytest.approx(sk.recall_score(true, said))
    assert found["f1"] == pytest.approx(sk.f1_score(true, said))


def test_what_is_not_defined_is_not_there():
    none = np.zeros(4, bool)
    found = figures(none, none)
    assert found["accuracy"] == 1
    assert np.isnan([found["precision"], found["recall"], found["f1"]]).all()


def test_a_difference_is_a_loop_over_resampled_rows():
    true, first = told(0.05)
    _, second = told(0.3, seed=2)
    found = f1_difference(true, first, second, resamples=300, seed=4)
    assert found.observed == pytest.approx(sk.f1_score(true, first) - sk.f1_score(true, second))
    drawn = [sk.f1_score(true[rows], first[rows]) - sk.f1_score(true[rows], second[rows])
             for rows in np.random.default_rng(4).integers(ROWS, size=(300, ROWS))]  # fmt: skip
    assert (found.low, found.high) == (
        pytest.approx(np.quantile(drawn, 0.025)),
        pytest.approx(np.quantile(drawn, 0.975)),
    )
    assert found.verdict == BETTER


def test_few_rows_of_a_side_decide_nothing():
    true = np.arange(50) < FEWEST - 1
    found = f1_difference(true, true, ~true)
    assert found.observed > 0.5
    assert found.verdict == NOT_DECIDED
