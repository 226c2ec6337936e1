import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.directions.classes import by_rank, by_threshold, check_scores
from pipeline.errors import SpecError

distinct = st.integers(20, 300).flatmap(lambda n: st.permutations(range(n)))


@given(distinct, st.floats(0.11, 0.5), st.integers(0, 2**63 - 1))
def test_by_rank_is_the_top_and_the_bottom(scores, fraction, seed):
    scores = np.array(scores, dtype=np.float64)
    classes = by_rank(scores, fraction, seed)
    n = int(fraction * len(scores) + 1e-9)
    rows = np.concatenate([classes.train.rows, classes.validation.rows])
    positive = np.concatenate([classes.train.positive, classes.validation.positive])
    assert set(rows[positive]) == set(np.argsort(scores)[-n:])
    assert set(rows[~positive]) == set(np.argsort(scores)[:n])
    assert classes.train.positive.sum() == (~classes.train.positive).sum() == max(1, int(0.7 * n))
    assert sorted([*rows, *classes.remaining.rows]) == list(range(len(scores)))
    assert classes.boundary == (len(scores) - 1) / 2
    np.testing.assert_array_equal(classes.remaining.positive, scores[classes.remaining.rows] >= classes.boundary)
    np.testing.assert_array_equal(classes.all.positive, scores >= classes.boundary)


def test_equal_scores_rank_by_row_number():
    scores = np.array([0, 1, 1, 1, 1, 1, 1, 2.0])
    classes = by_rank(scores, 0.25)
    rows = np.concatenate([classes.train.rows, classes.validation.rows])
    assert set(rows) == {0, 1, 6, 7}


def test_the_split_is_seeded():
    scores = np.arange(400.0)
    first, again, other = (by_rank(scores, 0.25, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.train.rows, again.train.rows)
    assert set(first.train.rows) != set(other.train.rows)
    assert by_rank(scores, 0.02, 0).train.rows.tolist() == PINNED


PINNED = [2, 4, 5, 6, 7, 392, 393, 394, 396, 397]


def test_nothing_takes_zero_for_a_boundary():
    scores = np.linspace(10, 20, 101)
    assert by_rank(scores, 0.1).boundary == 15
    assert by_rank(scores, 0.1, threshold=12).boundary == 12
    assert by_rank(scores, 0.1, threshold=12).remaining.positive.sum() == 71


def test_by_threshold_takes_all_rows():
    scores = np.array([3, 1, 2, 5, 4, 0.5])
    classes = by_threshold(scores, 2)
    rows = np.concatenate([classes.train.rows, classes.validation.rows])
    positive = np.concatenate([classes.train.positive, classes.validation.positive])
    assert sorted(rows) == list(range(6))
    assert set(rows[positive]) == {0, 2, 3, 4}
    assert len(classes.remaining) == 0
    assert classes.fraction is None


@pytest.mark.parametrize(
    ("scores", "fraction", "message"),
    [
        ([1, 2, np.nan, np.nan], 0.5, r"score of row 2 is nan \(2 such rows\)"),
        ([1, np.inf, 2, 3], 0.5, "score of row 1 is inf"),
        ([4.0] * 10, 0.5, "all 10 scores are 4: there is one class only"),
        (np.ones((4, 2)), 0.5, r"these have \(4, 2\)"),
        (np.arange(50), 0.02, "is 1 a class, 2 is the least"),
        (np.arange(50), 0.6, r"in \(0, 0.5\]"),
        (np.arange(50), 0.0, r"in \(0, 0.5\]"),
        ([0] * 8 + [1] * 2, 0.5, "all rows of one class have the score 0"),
    ],
)
def test_scores_that_make_no_classes(scores, fraction, message):
    with pytest.raises(SpecError, match=message):
        by_rank(scores, fraction)


def test_fewer_rows_than_asked():
    with pytest.raises(SpecError, match="300 rows a class were asked for, but 400 rows give 200 a class at most"):
        by_rank(np.arange(400), 0.5, count=300)
    with pytest.raises(SpecError, match="leaves 1 rows above and 9 below, of scores from 0 to 9"):
        by_threshold(np.arange(10), 9)
    with pytest.raises(SpecError, match="give a finite number"):
        by_threshold(np.arange(10), np.nan)


def test_a_column_is_a_row_of_scores():
    np.testing.assert_array_equal(check_scores(np.array([[1], [2]], dtype=np.float32)), [1.0, 2.0])
