"""Numbers between the strengths that were tried, and what reading them there may be wrong by."""

import numpy as np
import pytest

from pipeline.metrics.between_strengths import PARTS, at_equal_rate, in_between, point_of, thinned
from pipeline.metrics.bootstrap import BETTER, NOT_DECIDED
from pipeline.metrics.swept import Swept, difference_at_equal_rate

FACES = 200
USUAL = 3.0


def edits(strengths, fall=1.0, power=1.0, unit=1.0):
    """Edits that bring one face after the other over, and change each by a power of the way."""
    way_P = np.array([0.0, *strengths]) / unit
    hard, frail = np.random.default_rng(1).random((2, FACES, 1))

    def read(change):
        return Swept(change(way_P / 4 - hard) > 0, change(-fall * (0.5 + frail) * way_P**power))

    return read, point_of(np.array(strengths), USUAL * unit)


def test_numbers_in_between_lie_on_straight_lines():
    found = in_between(np.array([[0.0, 1.0, 3.0], [1.0, np.nan, 2.0]]), 4)
    np.testing.assert_allclose(found[0], [0, 0.25, 0.5, 0.75, 1, 1.5, 2, 2.5, 3])
    assert np.isnan(found[1]).tolist() == [False, *[True] * 7, False]


@pytest.mark.parametrize(("tried", "left"), [(1, [1]), (2, [2]), (3, [1, 3]), (4, [2, 4]), (5, [1, 3, 5])])
def test_every_other_strength_is_left_out_but_not_the_largest(tried, left):
    assert thinned(np.arange(tried + 1)).tolist() == [0, *left]
    assert thinned(np.zeros((2, 5, tried + 1))).shape == (2, 5, len(left) + 1)


def test_it_is_the_comparison_of_points_in_between():
    (first, one), (second, other) = edits((1.0, 2.0, 3.0, 4.0)), edits((1.5, 3.0, 4.0), fall=2.0)
    found = at_equal_rate(first, one, second, other)
    by_hand = difference_at_equal_rate(first(in_between), 3 * PARTS, second(in_between), 2 * PARTS)
    assert (found.rate, found.first, found.second) == (by_hand.rate, by_hand.first, by_hand.second)
    assert found.difference == by_hand.difference
    assert found.wrong_by == pytest.approx(0, abs=1e-9)  # all of it lies on lines
    assert found.verdict == BETTER


def test_what_reading_may_be_wrong_by_is_how_far_both_means_move():
    """Without the paper's strength, 3, the numbers of 2 and 4 have their mean there instead of their own."""
    bent, straight = edits((1.0, 2.0, 3.0, 4.0), power=2.0), edits((1.0, 2.0, 3.0, 4.0))
    found = at_equal_rate(*bent, *straight)
    own, without = found.first, found.first * ((2**2 + 4**2) / 2) / 3**2
    assert found.wrong_by == pytest.approx(abs(without - own))
    assert at_equal_rate(*straight, *bent).wrong_by == pytest.approx(found.wrong_by)
    assert at_equal_rate(*bent, *bent).wrong_by == pytest.approx(2 * found.wrong_by)


def test_a_difference_is_decided_only_where_it_is_larger_than_that():
    """One method in two units, and few strengths of it at which it changes fast at first."""
    dense = [np.linspace(0.3, 4.2, 14), 6 * np.linspace(0.4, 4.0, 19)]
    few = [(2.0, 4.0), (6.0, 18.0, 24.0)]  # at 2 in units of the first; of the other that is read off between 1 and 3
    for tried, is_decided in ((dense, False), (few, True)):
        found = at_equal_rate(*edits(tried[0], power=0.5), *edits(tried[1], power=0.5, unit=6.0))
        assert (found.difference.verdict != NOT_DECIDED) == is_decided
        assert found.verdict == NOT_DECIDED
    assert at_equal_rate(*edits(dense[0], 0.5, 0.5), *edits(dense[1], 1.0, 0.5, unit=6.0)).verdict == BETTER


def test_what_cannot_be_told_decides_nothing():
    several = edits((2.0, 3.0, 4.0))
    alone = at_equal_rate(*edits((3.0,), fall=0.1), *several)
    assert np.isnan(alone.wrong_by)
    assert (alone.difference.verdict, alone.verdict) == (BETTER, NOT_DECIDED)

    def never(change):
        return Swept(np.zeros_like(change(np.zeros((FACES, 3))), bool), change(np.ones((FACES, 3))))

    none = at_equal_rate(never, 2, *several)
    assert np.isnan([none.rate, none.wrong_by]).all()
    assert none.verdict == NOT_DECIDED
