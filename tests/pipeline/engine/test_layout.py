"""How many shards a job may have: known before any of them is made."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engine.layout import MAX_SHARDS, cut
from pipeline.errors import SpecError


@pytest.mark.parametrize(("rows", "rows_per_shard", "first"), [(10**12, 8192, 0), (10**7, 8, 3), (2**62, 8, 0)])
def test_too_many_shards_are_refused_at_once_with_what_to_do(rows, rows_per_shard, first):
    with pytest.raises(SpecError, match=r"a job has 1,000,000 at most: split the rows \(--range FIRST:STOP"):
        cut(rows, rows_per_shard, 8, first)


@given(st.integers(1, 2**62), st.integers(1, 64))
def test_the_shard_size_in_the_advice_is_the_smallest_that_will_do(rows, batch_size):
    try:
        layout = cut(rows, batch_size, batch_size)
    except SpecError as error:
        advised = int(str(error).rpartition("--rows-per-shard ")[2].split()[0])
        assert cut(rows, advised, batch_size).shards <= MAX_SHARDS
        with pytest.raises(SpecError):
            cut(rows, advised - batch_size, batch_size)
    else:
        assert layout.shards <= MAX_SHARDS
