"""Intervals against SciPy, and against what they promise."""

import math

import numpy as np
import pytest
from scipy import stats

from pipeline.metrics import intervals


@pytest.mark.parametrize(("hits", "count"), [(0, 7), (7, 7), (3, 10), (250, 1000), (1, 1), (0, 1)])
def test_the_ends_of_wilsons_interval_are_as_far_off_as_the_score_test_allows(hits, count):
    """Each end is a true rate p from which hits / count is z standard errors of p away (Wilson, 1927)."""
    low, high = intervals.of_rate(hits, count)
    assert 0 <= low <= hits / count <= high <= 1
    for end in (low, high):
        if end not in (0, 1):
            away = abs(hits / count - end) / math.sqrt(end * (1 - end) / count)
            assert away == pytest.approx(intervals.Z95, rel=1e-9)
    assert np.isnan(intervals.of_rate(0, 0)).all()


def test_normal_is_scipys():
    wanted = stats.norm.interval(0.95, loc=2.0, scale=3.0 / math.sqrt(40))
    assert intervals.of_mean(2.0, 3.0, 40) == pytest.approx(wanted, rel=1e-12)


def test_nineteen_of_twenty_intervals_hold_the_truth():
    draws = np.random.default_rng(1).normal(0.3, 2.0, (4000, 60))
    held = [low <= 0.3 <= high for low, high in map(_of_row, draws)]
    assert 0.93 < np.mean(held) < 0.96
    hits = np.random.default_rng(2).binomial(60, 0.2, 4000)
    held = [low <= 0.2 <= high for low, high in (intervals.of_rate(h, 60) for h in hits)]
    assert 0.93 < np.mean(held) < 0.97


@pytest.mark.parametrize("rates", [(0.1, 0.05, 0.05, 0.8), (0.6, 0.2, 0.1, 0.1), (0.9, 0.02, 0.02, 0.06)])
def test_nineteen_of_twenty_intervals_of_paired_rates_hold_the_truth(rates):
    drawn = np.random.default_rng(3).multinomial(50, rates, 3000)
    held = [low <= rates[1] - rates[2] <= high for low, high in (intervals.of_paired_rates(*one) for one in drawn)]
    assert np.mean(held) > 0.935  # more where the two seldom differ


def test_rates_that_never_differ_have_an_interval_as_wide_as_the_rows_allow():
    least = 10 / (10 + intervals.Z95**2)  # Wilson's of 10 of 10
    assert intervals.of_paired_rates(10, 0, 0, 0) == pytest.approx((least - 1, 1 - least))
    low, high = intervals.of_paired_rates(5, 0, 0, 5)
    assert low == -high < -0.1
    assert intervals.of_paired_rates(0, 0, 10, 0)[1] < -0.4
    low, high = intervals.of_paired_rates(3, 4, 1, 2)
    assert intervals.of_paired_rates(3, 1, 4, 2) == pytest.approx((-high, -low))
    assert np.isnan(intervals.of_paired_rates(0, 0, 0, 0)).all()


def _of_row(row):
    return intervals.of_mean(row.mean(), row.std(ddof=1), len(row))


def test_intervals_of_rates_are_kept_up_to_a_bound():
    assert intervals.of_rate.cache_info().maxsize == 4096


def test_the_jackknife_of_a_mean_is_its_standard_error():
    values = np.random.default_rng(0).standard_normal(200) * 3 + 1
    left_out = [float(np.delete(values, i).mean()) for i in range(200)]
    low, high = intervals.of_jackknife(float(values.mean()), left_out)
    assert (low, high) == pytest.approx(intervals.of_mean(float(values.mean()), float(values.std(ddof=1)), 200))
    assert np.isnan(intervals.of_jackknife(1.0, [1.0])).all()


@pytest.mark.parametrize(("hits", "count"), [(0, 7), (3, 7), (7, 7), (50, 60)])
def test_an_interval_of_shares_is_wilsons(hits, count):
    assert intervals.of_share(hits / count, count) == pytest.approx(intervals.of_rate(hits, count), abs=1e-12)
    assert np.isnan(intervals.of_share(0.5, 0)).all()
