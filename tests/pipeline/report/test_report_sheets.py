"""Which faces are chosen."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from pipeline.report.sheets import along, at_random


def test_random_faces_are_pinned() -> None:
    assert at_random(np.arange(1000), 6, seed=0) == (250, 286, 509, 728, 781, 844)


def test_random_faces_are_rising_distinct_and_at_most_all() -> None:
    chosen = at_random(np.arange(100, 110), 24, seed=3)
    assert chosen == tuple(range(100, 110))
    assert at_random(np.array([], dtype=np.int64), 24, seed=3) == ()


def test_a_table_that_grows_keeps_those_that_still_rank_first() -> None:
    small, grown = (set(at_random(np.arange(rows), 24, seed=5)) for rows in (500, 1000))
    assert {index for index in grown if index < 500} <= small


def test_random_faces_are_spread_over_the_rows() -> None:
    drawn = np.array([at_random(np.arange(10_000), 24, seed) for seed in range(200)])
    assert abs(drawn.mean() - 4999.5) < 5 * 2887 / np.sqrt(drawn.size)


def test_ties_are_taken_in_order_of_index() -> None:
    strips = along(pd.Series([0.0] * 6, index=[5, 3, 1, 0, 2, 4]), 3)
    assert strips.lowest == strips.nearest == strips.highest == (0, 1, 2)


@given(st.lists(st.floats(width=32), max_size=60), st.integers(1, 9))
def test_strips_are_the_extremes_and_the_nearest(scores: list[float], count: int) -> None:
    score_N = pd.Series(scores, dtype=float)
    finite = sorted(score for score in scores if np.isfinite(score))
    strips = along(score_N, count)
    assert score_N[list(strips.lowest)].tolist() == finite[:count]
    assert score_N[list(strips.highest)].tolist() == finite[::-1][:count]
    nearest = score_N[list(strips.nearest)].tolist()
    assert nearest == sorted(nearest)
    assert sorted(map(abs, nearest)) == sorted(map(abs, finite))[:count]
