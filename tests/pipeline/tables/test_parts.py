"""Names of parts, and how rows are cut into shards."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import SpecError
from pipeline.tables.parts import Layout, PartRecord, parse_part_name, part_name


@given(st.integers(0, 10**7), st.integers(1, 10**7))
def test_a_name_says_shard_and_shards(shard, more):
    assert parse_part_name(part_name(shard, shard + more)) == (shard, shard + more)


@pytest.mark.parametrize(
    "name",
    [
        "part-00007-of-00007.parquet",
        "part-7-of-64.parquet",
        "part-000007-of-00064.parquet",
        "part-00007-of-00064 (copy).parquet",
        ".part-00007-of-00064.parquet.1-ab.staged",
        "x-part-00007-of-00064.parquet",
    ],
)
def test_other_names_are_no_parts(name):
    assert parse_part_name(name) is None


@given(st.integers(1, 500), st.integers(1, 100), st.integers(0, 10**12))
def test_shards_hold_every_row_once(rows, rows_per_shard, first):
    layout = Layout(rows, rows_per_shard, first)
    indices = [index for shard in range(layout.shards) for index in layout.indices(shard)]
    assert indices == list(range(first, first + rows))
    assert all(0 < len(layout.indices(shard)) <= rows_per_shard for shard in range(layout.shards))


def test_no_such_shard_or_layout():
    with pytest.raises(SpecError, match="shard 4 is not one of 0 to 3"):
        Layout(10, 3).indices(4)
    for wrong in ((0, 3, 0), (10, 0, 0), (10, 3, -1)):
        with pytest.raises(SpecError):
            Layout(*wrong)


def test_a_record_comes_back_from_its_dictionary():
    record = PartRecord("part-00000-of-00001.parquet", 0, 0, 12, "ab", None, None)
    assert PartRecord.from_dict(record.as_dict()) == record
    with pytest.raises(KeyError):
        PartRecord.from_dict({"name": "x"})
