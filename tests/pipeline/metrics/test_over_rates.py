"""Methods over all rates that both reach: against loops over faces, and what must hold whatever the numbers are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import SpecError
from pipeline.metrics.bootstrap import BETTER, NOT_DECIDED, WORSE
from pipeline.metrics.over_rates import (
    LEAST,
    Method,
    OverRates,
    Rank,
    averaged,
    mean_over_rates,
    over_rates,
    ranks,
    reaches,
)
from pipeline.metrics.swept import Swept

FACES, STRENGTHS = 24, 4


def method(fall, push=2.0, seed=0, faces=None, noise=0.05):
    """Scores that rise with the strength from below 0, and a number that falls with it: what is read off between is
    made of these.
    """
    its = np.arange(FACES) if faces is None else np.asarray(faces)
    draws = np.random.default_rng(99).random(FACES)[its]
    way = np.linspace(0, 1, STRENGTHS + 1)
    score = -0.1 - draws[:, None] + push * way
    value = 1 - fall * way + noise * np.random.default_rng(seed).normal(size=(len(its), 1)) * way
    return Method(lambda change: Swept(change(score) > 0, change(value)), its)


def area_by_hand(rate, mean, low, high, parts=200_000):
    """The mean over a fine grid of rates of what stands on the straight lines between the points."""
    top = np.maximum.accumulate(rate)
    grid = low + (np.arange(parts) + 0.5) / parts * (high - low)
    after = np.searchsorted(top, grid, side="left")
    share = (grid - top[after - 1]) / (top[after] - top[after - 1])
    return np.mean(mean[after - 1] + share * (mean[after] - mean[after - 1]))


rates = st.lists(st.floats(0.01, 1), min_size=2, max_size=7)


@given(rates, st.integers(0, 1000), st.floats(0.15, 1))
def test_a_mean_over_rates_is_a_sum_over_a_fine_grid(found, seed, share):
    rate = np.array([0.0, *found])
    mean = np.random.default_rng(seed).normal(size=len(rate))
    high = LEAST + share * (rate.max() - LEAST)
    [area] = mean_over_rates(rate[None], mean[None], np.array([high]))
    if rate.max() <= LEAST:
        assert np.isnan(area)
    else:
        assert area == pytest.approx(area_by_hand(rate, mean, LEAST, high), abs=1e-3)


@given(rates, st.floats(-3, 3))
def test_the_mean_of_a_constant_is_that_constant(found, constant):
    rate = np.array([[0.0, *found]])
    [area] = mean_over_rates(rate, np.full(rate.shape, constant), rate.max(axis=1))
    assert np.isnan(area) if rate.max() <= LEAST else area == pytest.approx(constant, abs=1e-9)


def test_a_missing_mean_matters_only_on_the_way():
    rate = np.array([[0.0, 0.05, 0.3, 0.6, 0.9]])
    beyond = np.array([[1.0, 1.0, 0.9, 0.8, np.nan]])
    before = np.array([[np.nan, 1.0, 0.9, 0.8, 0.7]])
    assert not np.isnan(mean_over_rates(rate, beyond, np.array([0.6])))
    assert np.isnan(mean_over_rates(rate, beyond, np.array([0.61])))
    assert not np.isnan(mean_over_rates(rate, before, np.array([0.9])))
    assert np.isnan(mean_over_rates(rate, before, np.array([0.95])))  # never reached


def curves_by_hand(one, rows):
    """Rate and mean at each point of the faces in `rows`, which may be there several times."""
    swept = one.swept()
    points = range(swept.reached.shape[1])
    return (np.array([np.mean([swept.reached[row, p] for row in rows]) for p in points]),
            np.array([np.mean([swept.value[row, p] for row in rows]) for p in points]))  # fmt: skip


def test_differences_are_a_loop_over_resamples():
    methods = {"line": method(0.5), "better": method(0.3, seed=3), "worse": method(0.9, push=1.2, seed=4)}
    found = over_rates(methods, "line", resamples=40, seed=5)
    drawn = np.random.default_rng(5).integers(FACES, size=(40, FACES))
    for name in ("better", "worse"):
        by_hand = []
        for rows in [np.arange(FACES), *drawn]:
            (own_rate, own), (rate, mean) = (curves_by_hand(methods[one], rows) for one in (name, "line"))
            high = min(own_rate.max(), rate.max())
            by_hand.append(area_by_hand(own_rate, own, LEAST, high, 20_000) - area_by_hand(rate, mean, LEAST, high,
                                                                                           20_000))  # fmt: skip
        assert found[name].own - found[name].other == pytest.approx(by_hand[0], abs=1e-3)
        np.testing.assert_allclose(found[name].drawn, by_hand[1:], atol=2e-3)
    assert found["line"].difference.observed == 0
    assert not found["line"].drawn.any()


def test_a_method_that_keeps_more_is_better_and_one_that_keeps_less_worse():
    methods = {"line": method(0.5), "better": method(0.3, seed=3), "worse": method(0.9, seed=4), "same": method(0.5)}
    found = over_rates(methods, "line")
    verdicts = {name: one.verdict for name, one in found.items()}
    assert verdicts == {"line": NOT_DECIDED, "better": BETTER, "worse": WORSE, "same": NOT_DECIDED}
    places = ranks(found, larger=True)
    assert [places[name].place for name in ("better", "line", "same", "worse")] == [1, 2, 2, 4]
    assert (places["better"].low, places["better"].high) == (1, 1)
    backwards = ranks(found, larger=False)
    assert [backwards[name].place for name in ("worse", "line", "same", "better")] == [1, 2, 2, 4]


def test_moving_less_is_not_keeping_more():
    """One method is the other at half the strength, so that on the rates that both reach they keep as much."""
    way = np.linspace(0, 1, 41)
    hard = np.random.default_rng(3).random(400)

    def at(points):
        score, value = way[points] - hard[:, None], np.broadcast_to(1 - way[points], (400, len(points)))
        return Method(lambda change: Swept(change(score) > 0, change(value)), np.arange(400))

    found = over_rates({"far": at(np.arange(41)), "short": at(np.arange(0, 21))}, "far", resamples=200)
    assert found["short"].up_to == pytest.approx(0.5, abs=0.07)
    assert found["short"].own == pytest.approx(found["short"].other, abs=1e-9)
    assert found["short"].verdict == NOT_DECIDED


def test_a_weak_method_shrinks_the_range_of_no_other():
    strong = {"line": method(0.5), "better": method(0.3, seed=3)}
    alone = over_rates(strong, "line", resamples=50)["better"]
    beside = over_rates({**strong, "weak": method(0.1, push=0.4)}, "line", resamples=50)
    assert (beside["better"].up_to, beside["better"].own) == (alone.up_to, alone.own)
    assert beside["weak"].up_to < alone.up_to
    np.testing.assert_array_equal(beside["better"].drawn, alone.drawn)


def test_a_method_that_reaches_nothing_has_no_number_and_no_rank():
    methods = {"line": method(0.5), "none": method(0.0, push=0.05)}
    found = over_rates(methods, "line", resamples=50)
    assert np.isnan([found["none"].own, found["none"].up_to]).all()
    assert found["none"].verdict == NOT_DECIDED
    assert list(ranks(found, larger=True)) == ["line"]
    reach = reaches(methods, "line", resamples=50)
    assert (reach["none"].own, reach["none"].verdict) == (0.0, WORSE)
    assert ranks(reach, larger=True)["none"].place == 2


def test_methods_of_other_faces_are_compared_on_those_that_both_have():
    few = np.arange(0, FACES, 2)
    methods = {"line": method(0.5), "few": method(0.3, seed=3, faces=few)}
    found = over_rates(methods, "line", resamples=60)["few"]
    other = over_rates({"line": method(0.5, faces=few), "few": method(0.3, seed=3, faces=few)}, "line", resamples=60)
    assert found.faces == len(few)
    # The line's own noise is drawn for all of its faces; without noise both are the same numbers.
    quiet = {"line": method(0.5, noise=0), "few": method(0.3, faces=few, noise=0)}
    same = {"line": method(0.5, faces=few, noise=0), "few": method(0.3, faces=few, noise=0)}
    assert over_rates(quiet, "line", resamples=60)["few"].own == over_rates(same, "line", resamples=60)["few"].own
    assert not np.isnan(found.drawn).any()
    assert other["few"].faces == len(few)


def test_each_method_has_all_its_faces_in_a_resample():
    """So that a method of few faces is not sometimes one of none."""
    few = np.array([1, 5])
    methods = {"line": method(0.5), "few": method(0.3, faces=few)}
    assert not np.isnan(over_rates(methods, "line", resamples=500)["few"].drawn).all()
    assert np.isnan(over_rates(methods, "line", resamples=5)["few"].difference.low)  # fewer than have an interval
    assert "few" not in ranks(over_rates(methods, "line", resamples=5), larger=True)


def test_a_difference_that_may_be_wrong_by_as_much_is_not_decided():
    methods = {"line": method(0.5), "better": method(0.3, seed=3)}
    found = over_rates(methods, "line")["better"]
    assert found.wrong_by < found.difference.low
    bent = OverRates(found.up_to, found.own, found.other, found.drawn, found.faces, 2 * found.difference.high)
    assert (found.verdict, bent.verdict) == (BETTER, NOT_DECIDED)


def test_attributes_are_averaged_where_there_is_something_to_compare():
    one, two = (OverRates(0.5, own, 0.2, np.full(9, own - 0.2), 8, 0.1) for own in (0.4, 0.8))
    none = OverRates(np.nan, np.nan, np.nan, np.full(9, np.nan), 8, np.nan)
    found = averaged([one, none, two])
    assert found.own == pytest.approx(0.6)
    np.testing.assert_allclose(found.drawn, 0.4)
    assert np.isnan(averaged([none]).own)


def test_ranks_overlap_where_the_order_changes_from_resample_to_resample():
    noise = np.random.default_rng(0).normal(size=(2, 2000))
    found = {
        "a": OverRates(1, 0.01, 0, 0.01 + noise[0], 9, 0),
        "b": OverRates(1, 0.0, 0, noise[1], 9, 0),
        "c": OverRates(1, -99.0, 0, noise[1] - 99, 9, 0),
    }
    places = ranks(found, larger=True)
    assert places == {"a": Rank(1, 1, 2, 3), "b": Rank(2, 1, 2, 3), "c": Rank(3, 3, 3, 3)}
    assert [str(one) for one in places.values()] == ["1 (1 to 2)", "2 (1 to 2)", "3"]


def test_what_cannot_be_compared_is_said():
    with pytest.raises(SpecError, match="there is no method other to compare with, only line"):
        over_rates({"line": method(0.5)}, "other")
    short = Method(method(0.5).read, np.arange(3))
    with pytest.raises(SpecError, match="edits of 24 faces, and 3 were named"):
        over_rates({"line": short}, "line")
