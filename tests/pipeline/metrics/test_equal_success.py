"""How far an edit goes until its score is another's, so that edits of one kind come out alike."""

import numpy as np
import pytest

from pipeline.errors import SpecError
from pipeline.metrics import mean_difference, strength_that_meets
from pipeline.metrics.equal_success import MET

STRENGTHS = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.5, 6.0)


@pytest.mark.parametrize(
    "score_at",
    [lambda k: k - 1, lambda k: 4 * np.tanh(k / 3) - 1, lambda k: np.expm1(k / 2), lambda k: k + 0.4 * np.sin(6 * k)],
)
@pytest.mark.parametrize("own", [0.07, 0.25, 0.75, 1.0, 2.2, 3.75, 5.9])
def test_an_edit_of_the_same_score_is_the_same_edit(score_at, own):
    """The edit that is to be met lies between steps; a squared error, the square of the strength, is the same."""
    looked: list[float] = []

    def look(strength):
        looked.append(strength)
        return score_at(strength)

    wanted = score_at(own)
    found = strength_that_meets(wanted, STRENGTHS, [score_at(k) for k in STRENGTHS], look)
    assert abs(score_at(found) - wanted) <= MET * (wanted - score_at(0))
    assert len(looked) <= 9
    assert not set(looked) & set(STRENGTHS)
    first = next(k for k in np.linspace(0, 6, 60_001) if score_at(k) >= wanted - MET * (wanted - score_at(0)))
    if score_at(1.0) != 1 + 0.4 * np.sin(6):  # of those that rise all the way
        assert found == pytest.approx(first, abs=0.06)
        assert found**2 == pytest.approx(own**2, rel=0.01)


@pytest.mark.parametrize(
    ("scores", "wanted", "found"),
    [
        ([-1.0, 0.0, 2.0], 0.0, 1.0),  # at a step
        ([-1.0, 0.0, 2.0], 2.5, None),  # never
        ([-1.0, 1.0, -1.0], 1.0, 1.0),
        ([-1.0, np.nan, np.nan], 1.0, None),
    ],
)
def test_steps_are_not_looked_at_again(scores, wanted, found):
    def never(strength):
        raise AssertionError(strength)

    assert strength_that_meets(wanted, [0.0, 1.0, 2.0], scores, never) == found


def test_the_first_step_counts_that_reaches_the_score():
    found = strength_that_meets(0.0, [0, 1, 2, 3], [-1.0, 1.0, -1.0, 3.0], lambda k: 2 * k - 1)
    assert found == pytest.approx(0.5, abs=0.01)


def test_a_score_that_leaps_is_not_met():
    assert strength_that_meets(0.0, [0, 1], [-1.0, 1.0], lambda k: -1.0 if k < 0.3 else 1.0) is None


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(SpecError, match=r"of the source, 1, reaches 0\.5: there is nothing to compare"):
        strength_that_meets(0.5, [0, 1], [1.0, 2.0], lambda k: k)
    with pytest.raises(SpecError, match=r"scores have the shape \(1, 2\)"):
        strength_that_meets(0.5, [0, 1], [[1.0, 2.0]], lambda k: k)
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


@pytest.mark.parametrize("faces", [1, 2, 5])
def test_few_faces_decide_nothing(faces):
    more, there = mean_difference(np.arange(1.0, faces + 1), np.zeros(faces))
    assert (there, more.verdict) == (faces, "not decided")
    assert more.observed == (faces + 1) / 2
    assert np.isnan([more.low, more.high]).all()
    assert mean_difference(np.arange(1.0, 7), np.zeros(6))[0].verdict == "better"
