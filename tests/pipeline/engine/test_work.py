"""Runs that end badly: what is recorded then is the truth, and never another driver's loss."""

import json
from collections import Counter
from pathlib import Path

import pytest
from squares import SquaresWorker

from pipeline.engine.job_records import JobRecords
from pipeline.engine.journal import TIMEOUT, Attempt
from pipeline.engine.local_pool import LocalPool
from pipeline.engine.state import state_of
from pipeline.errors import Busy, StoreError, StylemillError
from pipeline.tables import Table, store


def test_a_driver_that_lost_its_lease_leaves_the_winners_books_alone(bench, monkeypatch):
    real, stalled = SquaresWorker.run, []

    def stalls(self, task):
        if task.shard == 2 and not stalled:
            stalled.append(task)  # so long that its lease runs out, and another driver finishes the job
            store.delete(JobRecords(bench.out, "squares").lease_url)
            assert bench.run(LocalPool()).exit_code == 0
        yield from real(self, task)

    monkeypatch.setattr(SquaresWorker, "run", stalls)
    with pytest.raises(Busy, match="the lease of this driver is lost, nothing more is written"):
        bench.run(LocalPool())
    state = state_of(bench.out, "squares")
    assert (state["complete"], state["shards_done"], state["errors"]) == (True, 4, {})
    assert state["last_run"]["exit_code"] == 0
    assert bench.run(LocalPool()).exit_code == 0
    assert "all done" in bench.said[1]


class Late(LocalPool):
    """A pool whose first worker of shard 1 is given up and publishes other bytes when all is done."""

    def map(self, stage, tasks, outputs, journal):
        journal(Attempt(1, 1, "elsewhere:1", "", 0.0, 1.0, TIMEOUT))
        yield from super().map(stage, tasks, outputs, journal)
        table = outputs.tables["labels"]
        part = Path(table.url, "part-00001-of-00004.parquet")
        content = bytearray(part.read_bytes())
        content[len(content) // 2] ^= 1
        part.write_bytes(bytes(content))


def test_a_part_overwritten_by_a_worker_that_was_given_up_is_not_sealed(bench):
    with pytest.raises(StoreError, match="1 shards were overwritten by workers that had been given up"):
        bench.run(Late())
    assert not Table(f"{bench.out}/labels").sealed
    summary = bench.run(LocalPool())
    assert "1 to run (1 overwritten by a worker that had been given up)" in bench.said[1]
    assert summary.exit_code == 0
    assert Table.open(f"{bench.out}/labels").verify() == []


def test_a_limited_retry_leaves_the_rest_as_it_was(bench):
    stage = {"reject_every": 5}
    bench.run(LocalPool(), bench.job(**stage))
    attempts = bench.attempts()
    summary = bench.run(LocalPool(), bench.job(**stage), retry_rejected=True, limit=1)
    assert bench.attempts() == attempts + 1
    assert (summary.not_run, summary.failed, summary.exit_code) == (0, 0, 0)
    assert state_of(bench.out, "squares")["complete"]
    assert bench.run(LocalPool(), bench.job(**stage)).exit_code == 0
    assert bench.attempts() == attempts + 1


def test_a_retry_keeps_what_was_counted_of_the_other_rows(bench):
    def counted():
        outcomes = JobRecords(bench.out, "squares").outcomes().values()
        return sum(outcome.counters["squares"] for outcome in outcomes)

    stage = {"reject_every": 5}
    bench.run(LocalPool(), bench.job(**stage))
    rows = Table.open(f"{bench.out}/labels").read().num_rows
    assert counted() == rows
    summary = bench.run(LocalPool(), bench.job(**stage), retry_rejected=True)
    assert (counted(), summary.counters["squares"]) == (rows, 0)


class Lost(LocalPool):
    def map(self, stage, tasks, outputs, journal):
        for number, outcome in enumerate(super().map(stage, tasks, outputs, journal)):
            if number == 2:
                raise StylemillError("the cluster is lost; the same command continues")
            yield outcome


def test_a_run_that_ends_by_an_error_is_summed_up_with_its_exit_code(bench):
    bench.run(LocalPool(), limit=1)
    with pytest.raises(StylemillError, match="the cluster is lost"):
        bench.run(Lost())
    assert bench.said[-1].startswith("Stop  3/4 shards")
    summary = json.loads(Path(bench.out, ".stylemill/squares/summary.json").read_text())
    assert (summary["exit_code"], summary["shards_done"]) == (2, 3)
    assert summary["stopped_by"] == "the cluster is lost; the same command continues"


def test_planning_a_retry_reads_no_part(bench, monkeypatch):
    bench.run(LocalPool(), bench.job(reject_every=5))

    def none(*arguments, **named):
        raise AssertionError("a part was read in planning")

    monkeypatch.setattr(Table, "read", none)
    assert bench.run(LocalPool(), bench.job(reject_every=5), retry_rejected=True, dry_run=True) is None
    assert "4 with rejected rows to try again" in bench.said[1]


def test_a_resume_lists_each_table_once_and_sweeps_by_it(bench, monkeypatch):
    bench.run(LocalPool(), limit=2)
    staged = Path(bench.out, "labels", ".part-00002-of-00004.parquet.1-00000000.staged")
    staged.write_bytes(b"torn")
    listed, real = Counter(), store.list_names

    def counted(url):
        listed[url.removeprefix(f"{bench.out}/")] += 1
        return real(url)

    class Seeing(LocalPool):
        def map(self, stage, tasks, outputs, journal):
            assert (listed["labels"], listed["rejects/squares"]) == (1, 1)
            assert not staged.exists()
            yield from super().map(stage, tasks, outputs, journal)

    monkeypatch.setattr(store, "list_names", counted)
    assert bench.run(Seeing()).exit_code == 0
    assert (listed["labels"], listed["rejects/squares"]) == (2, 2)  # once more to seal
