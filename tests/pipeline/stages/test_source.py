"""Rows of several tables, or chosen ones, are read as those of one table are."""

import pickle

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import schemas
from pipeline.engine.layout import tasks
from pipeline.errors import SpecError
from pipeline.stages.microbatch import microbatches
from pipeline.stages.source import Latents
from pipeline.tables import Table

WIDTH = 3
SCHEMA = schemas.latents("w", WIDTH)
COLUMNS = ["index", "w"]


def write(url, index, rows_per_shard=4, schema=SCHEMA) -> str:
    """A sealed table; w tells its index."""
    first, stop = min(index), max(index) + 1
    table = Table.create(str(url), schema, rows=stop - first, rows_per_shard=rows_per_shard, first_index=first)
    facts = {"psi": None, "seed": None, "generator": "g"}
    records = []
    for shard in range(table.layout.shards):
        its = [one for one in sorted(index) if one in table.layout.indices(shard)]
        kept = "w" if "w" in schema.arrow.names else "ws"
        values = np.repeat(np.array(its, np.float32), WIDTH).reshape(-1, WIDTH)
        values = values if kept == "w" else np.repeat(values[:, None], 2, axis=1)
        rows = schema.rows({"index": its, kept: values, **facts}) if its else schema.arrow.empty_table()
        records.append(table.publish(shard, rows))
    table.seal(records, {"spec": {"generator": "g"}})
    return table.url


@settings(max_examples=60)
@given(
    owners=st.dictionaries(st.integers(0, 40), st.integers(0, 2), min_size=1, max_size=30),
    chosen=st.none() | st.sets(st.integers(0, 40)),
    span=st.tuples(st.integers(0, 41), st.integers(0, 41)),
    per_shard=st.integers(1, 9),
)
def test_rows_come_in_order_and_once_however_the_tables_are_cut(owners, chosen, span, per_shard, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    pieces = [[index for index, owner in owners.items() if owner == mine] for mine in range(3)]
    urls = [write(folder / str(mine), its, per_shard + mine) for mine, its in enumerate(pieces) if its]
    latents = Latents.open(urls)
    assert latents.indices.tolist() == sorted(owners)
    if chosen is not None:
        latents = latents.only(np.array([index for index in sorted(chosen) if index in owners], dtype=np.int64))
    wanted = [index for index in sorted(owners) if chosen is None or index in chosen]
    assert latents.indices.tolist() == wanted
    again = pickle.loads(pickle.dumps(latents))
    inside = [index for index in wanted if span[0] <= index < span[1]]
    for rows in (latents, again):
        read = rows.read(COLUMNS, *span)
        batches = list(rows.batches(COLUMNS, *span, rows=3))
        for found in (read, pa.Table.from_batches(batches, read.schema)):
            assert found["index"].to_pylist() == inside
            assert schemas.to_numpy(found["w"])[:, 0].tolist() == inside
        assert all(len(batch) for batch in batches)


@settings(max_examples=40)
@given(index=st.sets(st.integers(0, 60), min_size=1), size=st.integers(1, 8), batches=st.integers(1, 3))
def test_every_chosen_row_is_in_its_slot_of_one_micro_batch_of_one_shard(index, size, batches, tmp_path_factory):
    latents = Latents.open([write(tmp_path_factory.mktemp("table") / "t", range(61), 7)])
    latents = latents.only(np.array(sorted(index)))
    layout, present = latents.lay_out(size * batches, size)
    met: list[int] = []
    for task in tasks(layout, present):
        its = []
        for slots, wanted, place, rows in microbatches(latents, COLUMNS, task, size):
            assert slots[0] % size == 0
            assert slots[place].tolist() == rows["index"].to_pylist() == slots[wanted].tolist()
            its += slots[wanted].tolist()
        assert len(its) == task.rows
        met += its
    assert met == sorted(index)


def test_the_digest_of_one_table_is_its_own_and_of_several_that_of_no_order(tmp_path):
    urls = [write(tmp_path / name, its) for name, its in (("a", range(5)), ("b", range(5, 9)))]
    first, second = map(Table.open, urls)
    assert Latents.open(urls[:1]).digest == first.digest
    both = Latents.open(urls)
    assert both.digest == Latents.open(urls[::-1]).digest
    assert both.digest not in (first.digest, second.digest)
    assert both.choice == {}
    some = both.only(np.array([2, 6]))
    assert some.choice["chosen"]["rows"] == 2
    assert some.choice == both.only(np.array([6, 2])).choice != both.only(np.array([2, 7])).choice


def test_tables_that_do_not_go_together_are_refused(tmp_path):
    whole = write(tmp_path / "whole", range(10))
    some = write(tmp_path / "some", [8, 9, 20])
    layers = write(tmp_path / "layers", [30], schema=schemas.latents("w+", WIDTH, 2))
    between = write(tmp_path / "between", [11])
    assert Latents.open([some, between]).indices.tolist() == [8, 9, 11, 20]
    with pytest.raises(SpecError, match=r"whole and .*some both hold row 8 and 1 more: .*--range"):
        Latents.open([whole, some])
    with pytest.raises(SpecError, match=r"whole keeps w .*layers ws "):
        Latents.open([whole, layers])
    with pytest.raises(SpecError, match="names a table twice"):
        Latents.open([whole, whole])


def test_its_size_is_told_without_reading_rows_where_the_table_says_it(tmp_path, monkeypatch):
    first, second = write(tmp_path / "a", range(10)), write(tmp_path / "b", range(10, 13))
    whole = Latents.open([first])
    monkeypatch.setattr(Table, "read", None)
    assert whole.size == (10, 3)
    monkeypatch.undo()
    assert Latents.open([first, second]).size == (13, None)
    assert whole.only(np.array([1, 5, 7])).size == (3, None)


@pytest.mark.parametrize("rows", [1, 5, 100])
def test_the_first_rows_are_those_of_all_of_them(tmp_path, rows):
    latents = Latents.open([write(tmp_path / "b", range(9, 20)), write(tmp_path / "a", range(1, 7))])
    for some in (latents, latents.only(np.array([2, 5, 11]))):
        assert some.head(COLUMNS, rows).equals(some.read(COLUMNS).slice(0, rows))
    assert latents.only(np.array([], dtype=np.int64)).head(COLUMNS, rows).num_rows == 0
