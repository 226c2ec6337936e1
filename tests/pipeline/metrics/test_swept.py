"""Two methods compared at one strength each, and where they succeed as often: against loops over resampled faces."""

import numpy as np
import pytest

from pipeline.errors import SpecError
from pipeline.metrics import intervals
from pipeline.metrics.bootstrap import BETTER, FEWEST, NOT_DECIDED
from pipeline.metrics.swept import Swept, difference_at, difference_at_equal_rate

FACES, STRENGTHS = 40, 5


def method(fall, reach=1.0, seed=0, faces=FACES, among=False, common=None):
    """Edits that succeed with more of the faces at each strength, whose value falls with the strength."""
    noise = np.random.default_rng(seed)
    hard = noise.random(faces) if common is None else common
    way = np.linspace(0, 1, STRENGTHS + 1)
    reached = hard[:, None] < reach * way
    value = 1 - fall * way - 0.05 * noise.normal(size=(faces, STRENGTHS + 1)) * (way > 0)
    return Swept(reached, value, among)


def by_hand(one, rows, rate):
    """The mean at that rate, point by point."""
    reached, value = one.reached[rows].astype(float), one.value[rows]
    before = None
    for k in range(reached.shape[1]):
        p = reached[:, k].mean()
        chosen = value[reached[:, k] > 0, k] if one.among and k > 0 else value[:, k]
        chosen = chosen[~np.isnan(chosen)]
        v = chosen.mean() if len(chosen) else np.nan
        if p >= rate:
            if before is None:
                return v
            p0, v0 = before
            return v if p == p0 else v0 + (rate - p0) / (p - p0) * (v - v0)
        if before is None or p >= before[0]:
            v = before[1] if np.isnan(v) else v
            before = (p, v)
        else:
            before = (before[0], v)
    return np.nan


@pytest.mark.parametrize("among", [False, True])
def test_means_at_an_equal_rate_are_a_loop_over_the_points(among):
    common = np.random.default_rng(7).random(FACES)
    first, second = (method(*of, among=among, common=common) for of in ((0.3, 0.9, 1), (0.5, 1.0, 2)))
    found = difference_at_equal_rate(first, 3, second, 4, resamples=300, seed=5)
    rate = min(first.reached[:, 3].mean(), second.reached[:, 4].mean())
    every = np.arange(FACES)
    assert found.rate == pytest.approx(rate)
    assert found.first == pytest.approx(by_hand(first, every, rate))
    assert found.second == pytest.approx(by_hand(second, every, rate))
    drawn = []
    for rows in np.random.default_rng(5).integers(FACES, size=(300, FACES)):
        own = min(first.reached[rows, 3].mean(), second.reached[rows, 4].mean())
        drawn.append(by_hand(first, rows, own) - by_hand(second, rows, own))
    low, high = np.quantile([one for one in drawn if not np.isnan(one)], [0.025, 0.975])
    assert (found.difference.low, found.difference.high) == (pytest.approx(low), pytest.approx(high))
    assert found.difference.verdict == BETTER  # it falls less


def test_moving_less_does_not_look_better_at_an_equal_rate():
    """One method is the other at half the strength: at a strength each it keeps more, at equal success as much."""
    noise = np.random.default_rng(3)
    hard = noise.random(200)
    way = np.linspace(0, 1, 11)
    reached, value = hard[:, None] < way, np.broadcast_to(1 - way, (200, 11))
    far = Swept(reached, value)
    half = np.concatenate([np.linspace(0, 0.5, 6), [1.0]])
    short = Swept(hard[:, None] < half, np.broadcast_to(1 - half, (200, 7)))
    assert difference_at(short, 5, far, 10).verdict == BETTER
    found = difference_at_equal_rate(short, 5, far, 10)
    assert found.rate == pytest.approx(short.rates()[5])
    assert found.difference.observed == pytest.approx(0, abs=0.01)
    assert found.difference.verdict == NOT_DECIDED


def test_a_mean_over_successes_is_of_these_alone():
    one = Swept(np.array([[False, True], [False, False], [False, True]]), np.array([[1, 0.5], [1, 0.0], [1, np.nan]]),
                among=True)  # fmt: skip
    assert one.means().tolist() == [1.0, 0.5]
    assert one.counts().tolist() == [3, 1]
    assert one.rates().tolist() == [0, pytest.approx(2 / 3)]
    every = Swept(one.reached, one.value)
    assert every.means().tolist() == [1.0, 0.25]
    assert every.counts().tolist() == [3, 2]


def test_shares_of_several_things_weigh_the_mean():
    one = Swept(np.array([[0.0, 0.5], [0.0, 1.0]]), np.array([[1.0, 0.0], [1.0, 0.9]]), among=True)
    assert one.rates()[1] == 0.75
    assert one.means()[1] == pytest.approx(0.6)


def test_where_nothing_succeeds_there_is_nothing_to_compare():
    first = method(0.3, seed=1)
    none = Swept(np.zeros((FACES, 3), bool), np.ones((FACES, 3)))
    found = difference_at_equal_rate(first, 5, none, 2)
    assert np.isnan([found.rate, found.first, found.second, found.difference.observed]).all()
    assert found.difference.verdict == NOT_DECIDED


def test_few_faces_have_no_interval():
    few = FEWEST - 1
    found = difference_at(method(0.1, faces=few), 3, method(0.5, faces=few, seed=2), 3)
    assert found.observed > 0
    assert np.isnan([found.low, found.high]).all()
    assert found.verdict == NOT_DECIDED


def test_other_faces_cannot_be_compared():
    with pytest.raises(SpecError, match="40 faces, the other 39"):
        difference_at(method(0.1), 1, method(0.1, faces=39), 1)
    with pytest.raises(SpecError, match="a row a face, a column a strength"):
        Swept(np.zeros((3, 1), bool), np.zeros((3, 1)))


def kept(reached, hits, share=True, among=True, faces=60):
    """The first `reached` faces succeed at the one strength, and the first `hits` of these are kept."""
    value = np.column_stack([np.ones(faces), np.arange(faces) < hits]).astype(float)
    return Swept(np.column_stack([np.zeros(faces), np.arange(faces) < reached]), value, among, share)


def test_few_that_all_say_yes_do_not_decide():
    """A bootstrap of six that say yes has no width: 6 of 6 would be better than 50 of 60."""
    assert difference_at(kept(6, 6, share=False), 1, kept(60, 50, share=False), 1).verdict == BETTER
    assert difference_at(kept(6, 6), 1, kept(60, 50), 1).verdict == NOT_DECIDED
    assert difference_at_equal_rate(kept(8, 8), 1, kept(9, 6), 1).difference.verdict == NOT_DECIDED


def test_many_that_all_say_yes_decide():
    assert difference_at(kept(60, 60), 1, kept(60, 30), 1).verdict == BETTER
    assert difference_at_equal_rate(kept(60, 60), 1, kept(60, 30), 1).difference.verdict == BETTER


def test_an_interval_of_shares_is_as_wide_as_a_score_interval():
    found = difference_at(kept(10, 10), 1, kept(60, 50), 1)
    (low, high), (least, most) = intervals.of_rate(10, 10), intervals.of_rate(50, 60)
    p, q = 1.0, 50 / 60  # where one does not vary in the resamples there is no correlation
    assert found.low == pytest.approx(p - q - np.hypot(p - low, most - q))
    assert found.high >= p - q + np.hypot(high - p, q - least)


def test_shares_of_several_things_are_more_than_the_faces():
    """Each face keeps 4 or 5 of 5: as many yes and no as vary so much, not one a face."""
    value = np.column_stack([np.ones(40), np.where(np.arange(40) < 20, 0.8, 1.0)])
    at = Swept(np.column_stack([np.zeros(40), np.ones(40)]), value, share=True).moments().at(1)
    more = 0.9 * 0.1 / 0.01
    assert at.interval() == pytest.approx(intervals.of_share(0.9, 40 * more))
    assert intervals.of_share(0.9, 40) < at.interval()


def test_where_few_succeed_there_is_no_interval_over_all_edits_either():
    few = FEWEST - 1
    found = difference_at_equal_rate(kept(few, 30, among=False), 1, kept(40, 10, among=False), 1).difference
    assert np.isnan([found.low, found.high]).all()
    assert found.verdict == NOT_DECIDED
