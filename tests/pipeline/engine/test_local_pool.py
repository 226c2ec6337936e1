"""One process, and what it cannot mend."""

from pipeline.engine.journal import ERROR
from pipeline.engine.local_pool import LocalPool


def test_a_broken_device_ends_the_run_and_the_same_command_continues(bench):
    summary = bench.run(LocalPool(), bench.job(break_once_on=(1,)))
    assert (summary.exit_code, summary.shards_done, summary.failed, summary.not_run) == (1, 1, 8, 16)
    assert bench.attempts() == 2  # neither again nor any other on a device that is lost
    assert any("CUDA error" in line and "start the same command again, which continues" in line for line in bench.said)
    assert bench.run(LocalPool(), bench.job(break_once_on=(1,))).exit_code == 0


def test_the_rows_of_the_shard_at_work_are_seen_as_they_are_written(bench, monkeypatch):
    job, pool, seen = bench.job(rows=16, rows_per_shard=16, reject_every=5, slow_seconds=0.01), LocalPool(), []
    told = LocalPool.set_progress
    monkeypatch.setattr(
        LocalPool, "set_progress", lambda self, *now: (told(self, *now), seen.append(self.at_work()[0]))
    )
    assert [outcome.ok for outcome in pool.map(job.stage, job.tasks, job.outputs(), lambda attempt: None)] == [True]
    rows = [shard.rows for shard in seen]
    assert rows == sorted(rows)
    assert set(rows) <= {0, 4, 8, 12, 16}  # rejected rows too: 0, 5, 10 and 15 are rejected
    assert rows[-1] >= 8
    assert pool.at_work() == ()


def test_the_journal_has_the_broken_try(bench):
    journal = []
    job = bench.job(break_once_on=(0,))
    first = next(LocalPool().map(job.stage, job.tasks, job.outputs(), journal.append))
    assert (first.shard, first.halt, first.attempts) == (0, True, 1)
    assert [record.end for record in journal] == [ERROR]
