import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.models.randomness import MAX_SEED, raw_words, standard_normal

PINNED = {  # (seed, index): columns 0, 1, 255, 256 and 511 of a row of 512
    (0, 0): [-2.6199698448181152, -1.685495376586914, -0.7630296945571899, -1.4347331523895264, 0.7451803684234619],
    (1, 7): [0.15173521637916565, -1.4621086120605469, -1.6330863237380981, 0.3748324513435364, -0.7613301277160645],
    (2**63 - 1, 10**12): [
        -0.19556836783885956,
        1.268875241279602,
        0.45094338059425354,
        0.6715724468231201,
        0.06774090975522995,
    ],
}


def test_words_are_the_published_known_answers_of_philox4x64():
    """Random123's kat_vectors: counter 0, key 0. NumPy counts up before the first block, so start one below 0."""
    below_zero = np.full(4, 2**64 - 1, dtype=np.uint64)
    words = np.random.Philox(key=np.zeros(2, np.uint64), counter=below_zero).random_raw(4)
    assert [f"{word:016x}" for word in words] == [
        "16554d9eca36314c",
        "db20fe9d672d0fdc",
        "d7e772cee186176b",
        "7e68b68aec7ba23b",
    ]


@pytest.mark.parametrize(("key", "values"), PINNED.items())
def test_three_rows_are_pinned(key, values):
    seed, index = key
    row = standard_normal(seed, [index], 512)[0, [0, 1, 255, 256, 511]]
    assert row.tolist() == pytest.approx(values, rel=2e-7)  # one float32 rounding apart at most, whatever the libm


@given(st.integers(0, MAX_SEED), st.lists(st.integers(0, MAX_SEED), max_size=5), st.integers(1, 33))
def test_a_row_depends_on_seed_and_index_alone(seed, indices, width):
    together = standard_normal(seed, indices, width)
    assert together.shape == (len(indices), width)
    for row, index in zip(together, indices, strict=True):
        np.testing.assert_array_equal(row, standard_normal(seed, [index], width)[0])


def test_it_is_a_standard_normal():
    from scipy import stats

    values = standard_normal(3, range(400), 512).ravel()
    assert np.isfinite(values).all()
    assert stats.kstest(values, "norm").pvalue > 1e-3
    assert abs(np.corrcoef(standard_normal(3, range(200), 512))[np.triu_indices(200, 1)]).max() < 0.25


def test_streams_seeds_and_indices_differ():
    rows = [raw_words(1, 2, 8).tolist(), raw_words(2, 1, 8).tolist(), raw_words(1, 2, 8, stream=1).tolist()]
    assert len({tuple(row) for row in rows}) == 3


@pytest.mark.parametrize(("seed", "index"), [(-1, 0), (0, -1), (2**63, 0)])
def test_out_of_range_is_refused(seed, index):
    with pytest.raises(ValueError, match="must lie in"):
        raw_words(seed, index, 1)
