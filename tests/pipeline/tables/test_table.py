"""Tables: what was written comes back, in order, from anywhere; sealed last, and only when whole."""

import errno
import json
import pickle
from pathlib import Path

import fsspec
import numpy as np
import pytest
from fsspec.implementations.local import LocalFileSystem

import schemas
from pipeline.errors import StoreError
from pipeline.tables import Table, store
from pipeline.tables import manifest as manifests

SCHEMA = schemas.latents(w_dim=8)


def rows_of(indices):
    indices = np.asarray(list(indices))
    w = (indices[:, None] * np.ones(8)).astype(np.float32)
    return SCHEMA.rows({"index": indices, "w": w, "psi": 0.7, "seed": 1, "generator": "g"})


def sealed(url, shards=4, gap=()):
    """A table of 10 rows to a shard, without the rows in `gap`."""
    table = Table.create(url, SCHEMA, rows=10 * shards, rows_per_shard=10, first_index=100)
    records = []
    for shard in range(shards):
        start = 100 + 10 * shard
        records.append(table.publish(shard, rows_of(index for index in range(start, start + 10) if index not in gap)))
    table.seal(records, {"seed": 1}, fingerprint="f" * 64)
    return table


def test_rows_come_back_in_order(place):
    sealed(place, gap={103, *range(120, 130)})
    table = Table.open(place)
    wanted = rows_of([*range(100, 103), *range(104, 120), *range(130, 140)])
    assert table.read().equals(wanted)
    assert table.schema == SCHEMA
    assert table.layout == sealed(place + "-again").layout
    assert table.read(["psi", "index"]).column_names == ["psi", "index"]
    assert table.read(["index"], shards=[3, 0])["index"].to_pylist() == [
        100,
        101,
        102,
        *range(104, 110),
        *range(130, 140),
    ]
    assert table.read(["w"], indices=range(108, 112)).equals(rows_of(range(108, 112)).select(["w"]))
    assert table.read(indices=range(120, 130)).equals(rows_of([]).cast(SCHEMA.arrow))
    assert table.verify() == []


def test_batches(tmp_path):
    table = sealed(str(tmp_path))
    batches = list(table.batches(["index", "w"], shards=[0, 2], rows=4))
    assert [batch.num_rows for batch in batches] == [4, 4, 2, 4, 4, 2]
    assert [index for batch in batches for index in batch["index"].to_pylist()] == [*range(100, 110), *range(120, 130)]
    assert batches[0].schema.names == ["index", "w"]


def test_range_of_rows_reads_only_its_row_groups(tmp_path, monkeypatch):
    """A later stage's task is a range of rows, in shards of its own size."""
    schema = schemas.TableSchema("latents", 1, SCHEMA.arrow, row_group_rows=10)
    table = Table.create(str(tmp_path), schema, rows=100, rows_per_shard=100)
    table.publish(0, rows_of(range(100)))
    asked = []
    real = table.read(indices=range(0, 0)).num_rows
    from pyarrow.parquet import ParquetFile

    whole = ParquetFile.read_row_groups

    def watch(self, groups, **options):
        asked.extend(groups)
        return whole(self, groups, **options)

    monkeypatch.setattr(ParquetFile, "read_row_groups", watch)
    assert table.read(["index"], indices=range(25, 41))["index"].to_pylist() == list(range(25, 41))
    assert (real, asked) == (0, [2, 3, 4])


def test_manifest_says_what_the_table_holds(place):
    manifest = sealed(place, gap={103}).manifest()
    assert manifest == json.loads(store.read_bytes(f"{place}/.stylemill/manifest.json"))
    assert manifest["schema"]["name"] == "latents"
    assert manifest["schema"]["version"] == 2
    assert manifest["schema"]["columns"]["w"] == "fixed_size_list<item: float>[8]"
    assert manifest["fingerprint"] == "f" * 64
    assert manifest["layout"] == {"rows": 40, "rows_per_shard": 10, "first_index": 100}
    assert manifest["totals"]["rows"] == 39
    assert manifest["facts"] == {"seed": 1}
    sizes = store.list_names(place)
    assert {part["name"]: part["bytes"] for part in manifest["parts"]} == sizes
    assert manifest["totals"]["bytes"] == sum(sizes.values())
    assert Table.open(place).digest == manifests.digest(manifest)


def test_digest_is_of_the_rows_and_facts(tmp_path):
    one, same = sealed(str(tmp_path / "one")), sealed(str(tmp_path / "same"))
    other = sealed(str(tmp_path / "other"), gap={103})
    assert one.digest == same.digest != other.digest


def test_unsealed_tables_are_read_but_said_to_be_unfinished(place):
    table = Table.create(place, SCHEMA, rows=40, rows_per_shard=10)
    for shard in (2, 0):
        table.publish(shard, rows_of(range(10 * shard, 10 * shard + 10)))
    found = Table.open(place)
    assert found.manifest() is None
    assert found.parts() == {0: "part-00000-of-00004.parquet", 2: "part-00002-of-00004.parquet"}
    assert found.read(["index"])["index"].to_pylist() == [*range(10), *range(20, 30)]
    for ask in (found.require_sealed, found.records, lambda: found.digest):
        with pytest.raises(StoreError, match=r"is not complete: 2 parts and no manifest; run the command"):
            ask()
    with pytest.raises(StoreError, match="has no part of shard 1"):
        found.read(shards=[1])


def test_what_is_no_table(place, tmp_path):
    with pytest.raises(StoreError, match="is not a table"):
        Table.open(place)
    (tmp_path / "part-00000-of-00001.parquet").write_bytes(b"PAR1 no PAR1")
    with pytest.raises(StoreError, match=r"part-00000-of-00001\.parquet is damaged"):
        Table.open(str(tmp_path)).read()


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PermissionError("Access Denied"), "permission denied .*credentials"),
        (OSError(errno.EIO, "I/O error"), "input/output error"),
        (FileNotFoundError("gone"), "not there"),
    ],
)
def test_a_store_that_fails_is_not_called_damage(tmp_path, monkeypatch, error, message):
    table = sealed(str(tmp_path))

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(LocalFileSystem, "open", fail)
    with pytest.raises(StoreError, match=rf"cannot read .*part-00000-of-00004\.parquet: .*{message}"):
        table.read()


def test_unknown_column(tmp_path):
    with pytest.raises(StoreError, match="has no column 'smile'; its columns are index, w, psi, seed, generator"):
        sealed(str(tmp_path)).read(["smile"])


def test_parts_of_two_cuts_are_not_mixed(tmp_path):
    sealed(str(tmp_path))
    two = Table.create(str(tmp_path), SCHEMA, rows=40, rows_per_shard=20, first_index=100)
    with pytest.raises(StoreError, match="holds parts of tables of 4 shards, wanted 2"):
        two.parts()
    two.publish(0, rows_of(range(100, 120)))
    (tmp_path / ".stylemill" / "manifest.json").unlink()
    with pytest.raises(StoreError, match="2 and 4 shards"):
        Table.open(str(tmp_path))


def test_seal_refuses_what_is_not_whole(tmp_path):
    table = Table.create(str(tmp_path), SCHEMA, rows=20, rows_per_shard=10)
    records = [table.publish(shard, rows_of(range(10 * shard, 10 * shard + 10))) for shard in range(2)]
    with pytest.raises(StoreError, match=r"no record of shards \[1\] of 2"):
        table.seal(records[:1], {})
    (tmp_path / "notes.parquet").write_bytes(b"")
    with pytest.raises(StoreError, match=r"notes\.parquet is not of this table"):
        table.seal(records, {})
    (tmp_path / "notes.parquet").unlink()
    part = tmp_path / records[1].name
    content = part.read_bytes()
    part.write_bytes(content[:-1])
    with pytest.raises(StoreError, match=rf"part-00001-of-00002\.parquet has {len(content) - 1} bytes"):
        table.seal(records, {})
    part.unlink()
    with pytest.raises(StoreError, match=r"part-00001-of-00002\.parquet is missing"):
        table.seal(records, {})
    assert not (tmp_path / ".stylemill").exists()
    part.write_bytes(content)
    table.seal(reversed(records), {})
    assert table.verify() == []


def test_planning_and_sealing_ask_once_however_many_parts(bucket, caplog):
    """100,000 parts on an object store must not mean 100,000 requests: counted in the server's own log."""
    caplog.set_level("INFO", logger="werkzeug")
    table = Table.create(bucket, SCHEMA, rows=200, rows_per_shard=10)
    records = [table.publish(shard, rows_of(range(10 * shard, 10 * shard + 10))) for shard in range(20)]
    puts = [record.message for record in caplog.records if '"PUT ' in record.message]
    assert len(puts) == 20
    caplog.clear()
    assert len(table.parts()) == 20
    assert ["list-type=2" in record.message for record in caplog.records] == [True]
    caplog.clear()
    table.seal(records, {})
    listing, manifest = [record.message for record in caplog.records]
    assert "list-type=2" in listing
    assert "manifest.json" in manifest


def test_clear_and_sweep(place):
    table = sealed(place)
    store.write_atomic(f"{place}/.part-00001-of-00004.parquet.77-ab.staged", b"left by a killed writer")
    store.write_atomic(f"{place}/.stylemill/note", b"stays")
    assert table.verify() == []
    assert table.sweep() == 1
    assert table.sweep() == 0
    assert len(table.parts()) == 4
    table.clear()
    assert table.manifest() is None
    assert table.parts() == {}
    assert store.read_bytes(f"{place}/.stylemill/note") == b"stays"


def test_tables_travel_to_workers(tmp_path):
    table = pickle.loads(pickle.dumps(Table.create(str(tmp_path), SCHEMA, rows=10, rows_per_shard=10)))
    table.publish(0, rows_of(range(10)))
    assert Table.open(str(tmp_path)).read().equals(rows_of(range(10)))


def test_a_damaged_manifest_is_told(tmp_path):
    sealed(str(tmp_path))
    for content in (b"", b"[]", b"{}", b'{"parts": [{}], "layout": null, "schema": 1, "facts": {}}'):
        (tmp_path / ".stylemill" / "manifest.json").write_bytes(content)
        with pytest.raises(StoreError, match=r"manifest\.json is (not|damaged)"):
            Table.open(str(tmp_path))


def test_same_rows_same_files_everywhere(tmp_path, bucket):
    here, there = sealed(str(tmp_path)), sealed(bucket)
    assert here.digest == there.digest
    fs, path = fsspec.url_to_fs(bucket)
    for record in here.records():
        assert fs.cat_file(f"{path}/{record.name}") == (Path(tmp_path) / record.name).read_bytes()
