"""What planning, sealing and clearing ask of a store: as much for 600 shards as for 6."""

import uuid
from collections import Counter

import fsspec
import pytest
from odd_stores import CountingFileSystem

import schemas
from pipeline.engine.attempt import Outputs
from pipeline.engine.job_records import JobRecords
from pipeline.engine.layout import cut, tasks
from pipeline.engine.outcome import Outcome
from pipeline.engine.plan import make_plan
from pipeline.errors import StoreError
from pipeline.tables import PartRecord, Table, part_name, store

SCHEMAS = {"latents": schemas.latents(w_dim=8), "labels": schemas.labels(["smile"]), "images": schemas.images()}


def outputs_of(out, layout):
    named = {name: Table(store.join(out, name), schema, layout) for name, schema in SCHEMAS.items()}
    return Outputs("dataset", named, Table(store.join(out, "rejects", "dataset"), schemas.rejects(), layout))


def a_finished_job(fs, out, shards):
    """Parts of ten bytes and the outcomes that say so."""
    layout = cut(shards * 10, 10, 10)
    outputs, job_records = outputs_of(out, layout), JobRecords(out, "dataset")
    for shard in range(shards):
        name = part_name(shard, shards)
        records = {}
        for table, place in outputs.all.items():
            fs.pipe_file(store.join(place.url, name), b"0123456789")
            rows = range(10 * shard, 10 * shard + 10) if table != "rejects" else range(0)
            ends = (rows[0], rows[-1]) if rows else (None, None)
            records[table] = PartRecord(name, shard, len(rows), 10, "0" * 64, *ends)
        job_records.record(Outcome(shard, records))
    job_records.flush()


def plan_and_seal(out, shards):
    layout = cut(shards * 10, 10, 10)
    outputs, job_records = outputs_of(out, layout), JobRecords(out, "dataset")
    outcomes = job_records.outcomes()
    job_records.compact(outcomes)
    plan = make_plan(tasks(layout), outputs, outcomes)
    assert len(plan.done) == shards
    for name, table in outputs.all.items():
        table.seal([plan.done[shard].parts[name] for shard in range(shards)], {}, "f")


def requests(shards):
    out, fs = f"counting://{uuid.uuid4().hex}", fsspec.filesystem("counting")
    a_finished_job(fs, out, shards)
    CountingFileSystem.requests.clear()
    plan_and_seal(out, shards)
    return Counter(CountingFileSystem.requests)


def test_planning_and_sealing_ask_no_more_for_more_shards():
    few, many = requests(6), requests(600)
    assert few == many
    assert few["list"] <= 3 + 2 * 4  # the records; each table at planning and at sealing
    assert few["write"] == 4


@pytest.mark.parametrize("shards", [5, 50])
def test_a_bucket_is_read_and_cleared_in_bulk(bucket, monkeypatch, shards):
    table = Table.create(bucket, SCHEMAS["labels"], rows=10 * shards, rows_per_shard=10)
    urls = [store.join(bucket, part_name(shard, shards)) for shard in range(shards)]
    fs = fsspec.filesystem("s3")
    for url in urls:
        fs.pipe_file(url, b"0123456789")
    asked, real = Counter(), type(fs)._call_s3

    async def call(self, method, *args, **kwargs):
        asked[method] += 1
        return await real(self, method, *args, **kwargs)

    monkeypatch.setattr(type(fs), "_call_s3", call)
    assert store.read_many([*urls, store.join(bucket, "none")]) == [b"0123456789"] * shards + [None]
    assert asked == {"get_object": shards + 1}
    asked.clear()
    table.clear()
    assert asked["delete_objects"] == 1
    assert asked["delete_object"] == 1  # the manifest
    assert store.list_names(bucket) == {}


@pytest.mark.parametrize("name", ["a[1].json", "what?.json", "*.json"])
def test_no_name_is_a_pattern(place, name):
    urls = [store.join(place, name), store.join(place, "a1.json"), store.join(place, "whats.json")]
    for url in urls:
        store.write_atomic(url, b"1")
    assert store.read_many(urls) == [b"1"] * 3
    store.delete_many([urls[0], store.join(place, "none")])
    assert set(store.list_names(place)) == {"a1.json", "whats.json"}


def test_what_a_store_keeps_quietly_is_told(bucket, monkeypatch):
    url = store.join(bucket, "kept")
    store.write_atomic(url, b"1")
    monkeypatch.setattr(fsspec.filesystem("s3"), "rm", lambda paths: [])
    with pytest.raises(StoreError, match=r"cannot delete kept .*permissions"):
        store.delete_many([url])
