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


@given(st.sets(st.integers(0, 300), min_size=2), st.integers(-5, 310), st.integers(-5, 310))
def test_the_shards_that_may_hold_a_range_are_those_that_meet_it(bounds, first, stop):
    bounds = sorted(bounds)
    for layout in (Layout(1, 1, bounds[0], tuple(bounds)), Layout(bounds[-1] - bounds[0], 7, bounds[0])):
        meet = [shard for shard in range(layout.shards) if set(layout.indices(shard)) & set(range(first, stop))]
        assert list(layout.holding(first, stop)) == meet
        assert Layout.from_dict(layout.as_dict()) == layout


def test_no_such_shard_or_layout():
    with pytest.raises(SpecError, match="shard 4 is not one of 0 to 3"):
        Layout(10, 3).indices(4)
    for wrong in ((0, 3, 0), (10, 0, 0), (10, 3, -1), (10, 3, 0, (1, 5)), (10, 3, 0, (0, 5, 5))):
        with pytest.raises(SpecError):
            Layout(*wrong)


def test_a_record_comes_back_from_its_dictionary():
    record = PartRecord("part-00000-of-00001.parquet", 0, 0, 12, "ab", None, None)
    assert PartRecord.from_dict(record.as_dict()) == record
    with pytest.raises(KeyError):
        PartRecord.from_dict({"name": "x"})
