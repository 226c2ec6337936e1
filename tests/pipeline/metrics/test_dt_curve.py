"""DT curves and the areas under them, against NumPy, SciPy and the definition in whole fractions."""

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate

from pipeline.errors import SpecError
from pipeline.metrics import Curve, Outcomes, auc, common_range, normalised_auc

ROWS = 20
COUNTS = st.lists(st.tuples(st.integers(0, ROWS), st.integers(0, ROWS)), max_size=12)
"""How many of 20 rows were transformed and kept, by step: small, so that equal p are common."""


def curve(counts: list[tuple[int, int]]) -> Curve:
    return Curve.of([hits / ROWS for hits, _ in counts], [kept / ROWS for _, kept in counts])


def by_hand(counts: list[tuple[int, int]]) -> list[tuple[Fraction, Fraction]]:
    """The points, word by word: (0, 1) and (p_n, q_n); p is its running maximum, q the mean at equal p."""
    found: dict[Fraction, list[Fraction]] = {Fraction(0): [Fraction(1)]}
    for step, (_, kept) in enumerate(counts):
        p = Fraction(max(hits for hits, _ in counts[: step + 1]), ROWS)
        found.setdefault(p, []).append(Fraction(kept, ROWS))
    return [(p, sum(qs) / len(qs)) for p, qs in sorted(found.items())]


def area_by_hand(points: list[tuple[Fraction, Fraction]], up_to: Fraction) -> Fraction:
    area = Fraction(0)
    for (p, q), (next_p, next_q) in itertools.pairwise(points):
        if p >= up_to:
            break
        stop = min(next_p, up_to)
        q_there = q + (next_q - q) * (stop - p) / (next_p - p)
        area += (stop - p) * (q + q_there) / 2
    return area


@settings(max_examples=300)
@given(COUNTS)
def test_points_are_those_of_the_definition(counts):
    found, wanted = curve(counts), by_hand(counts)
    np.testing.assert_allclose(found.p, [float(p) for p, _ in wanted], rtol=0, atol=1e-15)
    np.testing.assert_allclose(found.q, [float(q) for _, q in wanted], rtol=0, atol=1e-15)
    assert found.p_max == found.p[-1]


@settings(max_examples=200)
@given(COUNTS)
def test_p_rises_from_zero_and_both_are_shares(counts):
    found = curve(counts)
    assert found.p[0] == 0
    assert (np.diff(found.p) > 0).all()
    assert found.p_max <= 1
    assert len(found.p) == len(found.q) <= len(counts) + 1
    assert ((found.q >= 0) & (found.q <= 1)).all()


@settings(max_examples=60)
@given(st.integers(1, 40), st.integers(1, 8), st.integers(0, 999), st.randoms(use_true_random=False))
def test_order_of_rows_does_not_matter(rows, steps, seed, random):
    noise = np.random.default_rng(seed)
    outcomes = Outcomes(noise.random((rows, steps)) < 0.4, noise.random((rows, steps)) < 0.8)
    order = random.sample(range(rows), rows)
    first = Curve.of(outcomes.transformed.mean(0), outcomes.kept.mean(0))
    other = Curve.of(outcomes.transformed[order].mean(0), outcomes.kept[order].mean(0))
    assert (first.p.tolist(), first.q.tolist()) == (other.p.tolist(), other.q.tolist())


@settings(max_examples=300)
@given(COUNTS, st.integers(0, 48))
def test_area_is_the_definitions_and_that_of_numpy_and_scipy(counts, part):
    found, wanted = curve(counts), by_hand(counts)
    assert auc(found) == pytest.approx(float(area_by_hand(wanted, wanted[-1][0])), abs=1e-14)
    assert auc(found) == pytest.approx(np.trapezoid(found.q, found.p), abs=1e-14)
    assert auc(found) == auc(found, found.p_max)
    assert 0 <= auc(found) <= found.p_max + 1e-15
    end = found.p_max * (part / 48)
    assert auc(found, end) == pytest.approx(float(area_by_hand(wanted, Fraction(end))), abs=1e-14)
    inner = found.p[found.p < end]
    cut = np.append(inner, end)
    assert auc(found, end) == pytest.approx(integrate.trapezoid(np.interp(cut, found.p, found.q), cut), abs=1e-14)
    if end:
        assert normalised_auc(found, end) == auc(found, end) / end
    else:
        assert math.isnan(normalised_auc(found, end))


def test_figures_worked_out_by_hand():
    found = Curve.of([0.0, 0.4, 0.2, 0.8], [0.8, 0.9, 0.7, 0.5])
    np.testing.assert_allclose(found.p, [0, 0.4, 0.8])
    np.testing.assert_allclose(found.q, [0.9, 0.8, 0.5])
    assert auc(found) == pytest.approx(0.34 + 0.26)
    assert auc(found, 0.6) == pytest.approx(0.34 + 0.145)
    assert normalised_auc(found) == pytest.approx(0.75)
    assert normalised_auc(found, 0.6) == pytest.approx(0.485 / 0.6)


def test_where_p_rises_with_each_step_the_area_is_the_released_codes_and_else_not():
    """The released code sums (q_n + q_n+1) (p_n+1 - p_n) / 2 over the steps as they come."""
    p, q = [0.1, 0.3, 0.7], [1.0, 0.9, 0.6]
    assert auc(Curve.of(p, q)) == pytest.approx(np.trapezoid([1, *q], [0, *p]), rel=1e-14)
    p, q = [0.1, 0.7, 0.3], [1.0, 0.9, 0.6]
    assert auc(Curve.of(p, q)) > np.trapezoid([1, *q], [0, *p]) + 0.1


def test_nothing_kept_nothing_transformed():
    for still in (Curve.of([], []), Curve.of([0.0, 0.0], [1.0, 0.4])):
        assert (still.p_max, auc(still)) == (0, 0)
        assert math.isnan(normalised_auc(still))
    assert Curve.of([0.0, 0.0], [1.0, 0.4]).q.tolist() == [pytest.approx(0.8)]
    assert auc(Curve.of([1.0], [0.0])) == 0.5


def test_the_common_range_is_what_all_reach():
    curves = [Curve.of([p], [0.5]) for p in (0.9, 0.25, 0.6)]
    assert common_range(curves) == 0.25
    assert common_range(iter([*curves, Curve.of([0.0], [0.5])])) == 0
    for some in curves:
        assert auc(some, common_range(curves)) > 0.15
    with pytest.raises(SpecError, match="no curve"):
        common_range([])


def test_bad_input_is_named():
    some = Curve.of([0.5], [0.5])
    for end in (0.500001, -0.1, math.nan, math.inf):
        with pytest.raises(SpecError, match=r"of a curve that reaches 0\.5"):
            auc(some, end)
        with pytest.raises(SpecError, match="up to p"):
            normalised_auc(some, end)
    with pytest.raises(SpecError, match=r"q of step 2 is 1\.5"):
        Curve.of([0.1, 0.2], [0.1, 1.5])
    with pytest.raises(SpecError, match=r"p of step 1 is -0\.1"):
        Curve.of([-0.1, 0.2], [0.1, 0.5])
    with pytest.raises(SpecError, match="p: row 1 is not finite"):
        Curve.of([0.1, np.nan], [0.1, 0.5])
    with pytest.raises(SpecError, match=r"\(2,\) and \(1,\)"):
        Curve.of([0.1, 0.2], [0.1])
