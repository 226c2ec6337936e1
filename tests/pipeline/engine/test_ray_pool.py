"""The same job on Ray: killed and hung workers cost nothing, poison is given up, the bytes are those of one process."""

import time
from types import SimpleNamespace

import pytest
import ray

from pipeline.engine import ray_pool, worker_group
from pipeline.engine.journal import PUBLISHED, TIMEOUT, WORKER_LOST
from pipeline.engine.local_pool import LocalPool
from pipeline.engine.ray_pool import RayPool
from pipeline.errors import SpecError

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("cluster")]


def test_a_killed_worker_is_replaced_and_the_bytes_are_the_same(bench, tmp_path):
    bench.run(LocalPool())
    alone = bench.part_bytes()
    for mark in bench.marks.iterdir():
        mark.unlink()
    bench.out = str(tmp_path / "ray")
    summary = bench.run(RayPool(2, cpus=1), bench.job(die_once_on=(0, 2)))
    assert (summary.exit_code, summary.failed) == (0, 0)
    assert summary.workers_lost >= 1
    assert bench.part_bytes() == alone


def test_errors_of_the_work_have_a_budget_of_their_own(bench):
    summary = bench.run(RayPool(1, cpus=1), bench.job(fail_on=(3,)))
    assert (summary.exit_code, summary.workers_lost) == (1, 0)
    assert any("shard 3 after 3 attempts: ZeroDivisionError: no square today" in line for line in bench.said)


def pass_an_hour(monkeypatch, bench, pool, shard):
    """For the driver, as soon as it waits for this shard alone, which was begun."""
    ahead, tick = [0.0], worker_group.WorkerGroup._tick

    def tick_and_look(self):
        yield from tick(self)
        if [at_work.shard for at_work in pool.at_work()] == [shard] and list(bench.marks.glob(f"{shard}-*")):
            ahead[0] = 3601.0

    monkeypatch.setattr(worker_group.WorkerGroup, "_tick", tick_and_look)
    clock = SimpleNamespace(perf_counter=lambda: time.perf_counter() + ahead[0], sleep=time.sleep)
    monkeypatch.setattr(worker_group, "time", clock)


@pytest.mark.slow
def test_every_attempt_is_in_the_journal(bench, monkeypatch):
    journal = []
    job = bench.job(die_once_on=(0,), hang_once_on=(2,))
    pool = RayPool(1, cpus=1, task_timeout=3600.0)
    pass_an_hour(monkeypatch, bench, pool, 2)
    pool.prepare()
    outcomes = list(pool.map(job.stage, job.tasks, job.outputs(), journal.append))
    pool.close()
    assert sorted(outcome.shard for outcome in outcomes) == [0, 1, 2, 3]
    ends = {shard: sorted(record.end for record in journal if record.shard == shard) for shard in range(4)}
    assert ends == {0: [PUBLISHED, WORKER_LOST], 1: [PUBLISHED], 2: [PUBLISHED, TIMEOUT], 3: [PUBLISHED]}
    assert sorted(record.number for record in journal if record.shard == 0) == [1, 2]
    nodes = {node["NodeID"] for node in ray.nodes()}
    assert all(record.node in nodes and ":" in record.worker for record in journal)
    assert (pool.workers, pool.lost, pool.lost_nodes, pool.at_work()) == (1, 2, 0, ())


@pytest.mark.slow
def test_a_worker_tells_how_many_rows_of_its_shard_are_done(bench, monkeypatch):
    monkeypatch.setattr(ray_pool, "TELL_SECONDS", 0.1)
    job, pool, seen = bench.job(rows=64, rows_per_shard=32, slow_seconds=0.3), RayPool(1, cpus=1), []
    tick = worker_group.WorkerGroup._tick
    monkeypatch.setattr(
        worker_group.WorkerGroup, "_tick", lambda self: (yield from tick(self)) or seen.extend(pool.at_work())
    )
    pool.prepare()
    outcomes = list(pool.map(job.stage, job.tasks, job.outputs(), lambda attempt: None))
    pool.close()
    assert [outcome.ok for outcome in outcomes] == [True, True]
    for shard in (0, 1):
        rows = [entry.rows for entry in seen if entry.shard == shard]
        assert rows == sorted(rows)
        assert len(set(rows)) > 2
        assert max(rows) <= 32


@pytest.mark.slow
def test_workers_by_themselves_are_as_many_as_there_is_room_and_work_for(bench):
    pool = RayPool(None, cpus=1)
    pool.prepare()
    assert pool.workers == 4
    assert bench.run(pool).exit_code == 0
    assert pool.workers == 4
    assert bench.run(RayPool(None, cpus=3), bench.job(seed=2), replace=True).workers == 1


@pytest.mark.slow
def test_what_was_asked_is_expected_and_a_joined_cluster_sees_demand(bench, monkeypatch):
    started = []
    start = ray_pool._RayCluster.start
    monkeypatch.setattr(ray_pool._RayCluster, "start", lambda self: started.append(self) or start(self))
    pool = RayPool(None, cpus=3)
    pool.prepare()
    assert (pool.expected, RayPool(2, cpus=1).expected, LocalPool().expected) == (1, 2, 1)
    assert bench.run(pool, bench.job(rows=64)).workers == 1
    assert len(started) == 1 + ray_pool.SPARE
    started.clear()
    assert bench.run(RayPool(1, cpus=3), bench.job(rows=64, seed=2), replace=True).exit_code == 0
    assert len(started) == 1  # so many and no more


@pytest.mark.slow
def test_a_worker_whose_device_broke_is_let_go_and_loses_no_shard(bench):
    summary = bench.run(RayPool(1, cpus=1), bench.job(break_once_on=(0,)))
    assert (summary.exit_code, summary.published, summary.workers_lost) == (0, 32, 1)
    assert bench.attempts() >= 5
    assert len({mark.name.rsplit("-", 1)[1] for mark in bench.marks.iterdir()}) == 2  # two processes


def test_what_the_cluster_can_never_place_is_refused(bench):
    with pytest.raises(SpecError, match="each worker needs 1 GPU, the largest node of the cluster has 0"):
        bench.run(RayPool(1, cpus=1, gpus=1))
