"""Rows tried again, merged with those published before: the order and rows of one table computed at once."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engine.merge import merged


def rows(index) -> pa.Table:
    return pa.table(
        {
            "index": pa.array(sorted(index), pa.int64()),
            "value": pa.array([f"row {i}" for i in sorted(index)], pa.string()),
        }
    )


@given(st.sets(st.integers(0, 60)), st.sets(st.integers(0, 60)), st.integers(1, 9))
def test_all_rows_come_once_in_order(old, new, rows_at_once):
    standing = sorted(old - new)
    batches = [rows(standing[place : place + rows_at_once]) for place in range(0, len(standing), rows_at_once)]
    found = pa.concat_tables([rows([]), *merged(batches, rows(new))])
    assert found.equals(rows(old | new))
