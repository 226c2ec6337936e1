"""Cohen's kappa against its definition."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import SpecError
from pipeline.metrics import kappa


@settings(max_examples=200)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_kappa_is_what_the_rows_agree_on_beyond_what_their_shares_give(pairs):
    first, second = np.array(pairs).T
    seen, by_chance = (first == second).mean(), first.mean() * second.mean() + (1 - first.mean()) * (1 - second.mean())
    if len({*first.tolist(), *second.tolist()}) == 1:
        assert math.isnan(kappa(first, second))
    else:
        assert kappa(first, second) == pytest.approx((seen - by_chance) / (1 - by_chance), abs=1e-12)


def test_all_chance_and_the_contrary():
    first = np.array([True, True, False, False])
    assert kappa(first, first) == 1
    assert kappa(first, ~first) == -1
    assert kappa(first, np.array([True, False, True, False])) == 0
    assert kappa(np.ones(4, bool), np.zeros(4, bool)) == 0
    assert math.isnan(kappa(np.ones(4, bool), np.ones(4, bool)))
    assert math.isnan(kappa(np.zeros(0, bool), np.zeros(0, bool)))


def test_many_rows_do_not_overflow():
    first = np.arange(3_000_000) % 2 == 0
    assert kappa(first, first) == 1
    assert kappa(first, ~first) == -1


def test_bad_input_is_named():
    with pytest.raises(SpecError, match="second is float64: give bool"):
        kappa(np.ones(2, bool), np.ones(2))
    with pytest.raises(SpecError, match=r"\(3,\) and \(2,\)"):
        kappa(np.ones(3, bool), np.ones(2, bool))
