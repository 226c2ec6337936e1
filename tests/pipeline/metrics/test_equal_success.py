"""A number of each face where its score reaches another edit's, against a walk along the way in small steps."""

import numpy as np
import pytest

from pipeline.errors import SpecError
from pipeline.metrics import at_score, mean_difference

POINTS = 20_001


def walked(scores_K, numbers_K, wanted):
    """Along the polygon of the steps, in small steps, until the score is reached."""
    place = np.linspace(0, len(scores_K) - 1, POINTS)
    score = np.interp(place, np.arange(len(scores_K)), scores_K)
    number = np.interp(place, np.arange(len(scores_K)), numbers_K)
    there = np.flatnonzero(score >= wanted)
    return number[there[0]] if len(there) else np.nan


def test_it_is_what_a_walk_along_the_way_finds():
    noise = np.random.default_rng(3)
    scores_NK = noise.normal(size=(200, 7)).cumsum(axis=1) + np.arange(7) * 0.3  # they rise and fall
    numbers_NK = np.abs(noise.normal(size=(200, 7))).cumsum(axis=1)
    wanted_N = scores_NK[:, 0] + noise.normal(size=200)
    found_N = at_score(scores_NK, numbers_NK, wanted_N)
    brute_N = np.array([walked(*one) for one in zip(scores_NK, numbers_NK, wanted_N, strict=True)])
    assert np.isnan(brute_N).sum() > 10
    np.testing.assert_array_equal(np.isnan(found_N), np.isnan(brute_N))
    np.testing.assert_allclose(found_N, brute_N, atol=6 * np.abs(np.diff(numbers_NK)).max() / POINTS * 7)


@pytest.mark.parametrize(
    ("scores", "numbers", "wanted", "found"),
    [
        ([-1.0, 0.0, 2.0], [0.0, 1.0, 5.0], 1.0, 3.0),
        ([-1.0, 0.0, 2.0], [0.0, 1.0, 5.0], 0.0, 1.0),  # at a step
        ([-1.0, 0.0, 2.0], [0.5, 1.0, 5.0], -2.0, 0.5),  # the source
        ([-1.0, 0.0, 2.0], [0.5, np.nan, 5.0], -1.0, 0.5),
        ([-1.0, 0.0, 2.0], [0.0, 1.0, 5.0], 2.5, np.nan),  # never
        ([-1.0, 0.0, 2.0], [0.0, np.nan, np.nan], 1.0, np.nan),
        ([-1.0, 0.0, 2.0], [0.0, 1.0, 5.0], np.nan, np.nan),
        ([-1.0, 1.0, -1.0, 3.0], [0.0, 2.0, 4.0, 6.0], 0.0, 1.0),  # the first time
        ([-1.0, -1.0, 1.0], [0.0, 2.0, 4.0], 0.0, 3.0),
    ],
)
def test_what_it_is_where_the_way_is_short_or_bent(scores, numbers, wanted, found):
    np.testing.assert_allclose(at_score([scores], [numbers], [wanted]), [found])


def test_numbers_of_other_faces_are_refused():
    with pytest.raises(SpecError, match=r"\(1, 2\), \(1, 3\) and \(1,\)"):
        at_score([[0, 1]], [[0, 1, 2]], [0])
    with pytest.raises(SpecError, match=r"\(2,\) and \(3,\)"):
        mean_difference([1, 2], [1, 2, 3])


def test_a_paired_difference_has_the_interval_of_its_mean():
    noise = np.random.default_rng(4)
    first_N = noise.normal(size=400)
    second_N = first_N + 0.5 + 0.2 * noise.normal(size=400)
    first_N[:3] = np.nan
    more, faces = mean_difference(second_N, first_N)
    less_N = (second_N - first_N)[3:]
    assert faces == 397
    assert more.observed == pytest.approx(less_N.mean())
    half = 1.96 * less_N.std(ddof=1) / np.sqrt(397)
    assert (more.low, more.high) == pytest.approx((less_N.mean() - half, less_N.mean() + half), abs=0.004)
    assert more.verdict == "better"
    assert mean_difference([np.nan], [1.0])[1] == 0
    assert mean_difference([np.nan], [1.0])[0].verdict == "not decided"
