"""Parts without a record: said first, read several shards at once, never more than a few."""

import errno
import shutil
import threading
from pathlib import Path

import pytest

from pipeline.engine.local_pool import LocalPool
from pipeline.engine.recovery import SHARDS_AT_ONCE, recover_outcomes
from pipeline.errors import StoreError
from pipeline.tables import Table, reader
from tests.waiting import LONG


@pytest.fixture
def unrecorded(bench):
    """A job of 16 shards whose outcomes are lost."""
    job = bench.job(rows=64, rows_per_shard=4, reject_every=5)
    bench.run(LocalPool(), job)
    shutil.rmtree(Path(bench.out, ".stylemill/squares/outcomes"))
    return job


def test_every_shard_has_an_outcome_and_a_damaged_one_an_error(unrecorded, bench):
    Path(bench.out, "labels/part-00003-of-00016.parquet").write_bytes(b"no part")
    found = {outcome.shard: outcome for outcome in recover_outcomes(unrecorded.tasks, unrecorded.outputs())}
    assert sorted(found) == list(range(16))
    assert [shard for shard, outcome in found.items() if not outcome.ok] == [3]
    assert "part-00003-of-00016.parquet" in found[3].error
    assert sum(outcome.rejected for outcome in found.values()) == 12  # of 13; row 15 is in the damaged shard


def test_shards_are_read_at_once_and_few_are_in_hand(unrecorded, monkeypatch):
    together, lock, begun = threading.Barrier(SHARDS_AT_ONCE), threading.Lock(), set()
    real = Table.inspect

    def inspect(self, shard):
        with lock:
            first = shard not in begun
            begun.add(shard)
        if first:
            together.wait(timeout=LONG)
        return real(self, shard)

    monkeypatch.setattr(Table, "inspect", inspect)
    for ended, _ in enumerate(recover_outcomes(unrecorded.tasks, unrecorded.outputs())):
        assert len(begun) <= ended + SHARDS_AT_ONCE
    assert len(begun) == 16


def test_it_is_said_before_the_parts_are_read(unrecorded, bench, monkeypatch):
    real, said_at_the_first = Table.inspect, []

    def inspect(self, shard):
        said_at_the_first.append(list(bench.said))
        return real(self, shard)

    monkeypatch.setattr(Table, "inspect", inspect)
    assert bench.run(LocalPool(), unrecorded).exit_code == 0
    assert said_at_the_first[0][-1] == "Note  16 shards have no record: reading their parts"


def test_a_part_that_cannot_be_read_stops_it_and_is_not_made_again(unrecorded, bench, monkeypatch):
    before = {path: path.read_bytes() for path in Path(bench.out).rglob("*.parquet")}

    def failing(self, i, columns=None):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(reader._Part, "read_row_group", failing)
    with pytest.raises(StoreError, match=r"part-.*parquet: permission denied"):
        bench.run(LocalPool(), unrecorded)
    assert {path: path.read_bytes() for path in Path(bench.out).rglob("*.parquet")} == before
