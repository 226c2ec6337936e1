"""The same job on Ray: killed workers cost nothing, poison is given up, the bytes are those of one process."""

import pytest

from pipeline.engine.local_pool import LocalPool
from pipeline.engine.ray_pool import RayPool
from pipeline.errors import SpecError

pytestmark = [pytest.mark.ray, pytest.mark.usefixtures("cluster")]


def test_two_workers_make_the_bytes_of_one(bench, tmp_path):
    assert bench.run(LocalPool(), bench.job(reject_every=5)).exit_code == 0
    alone = bench.part_bytes()
    bench.out = str(tmp_path / "ray")
    summary = bench.run(RayPool(2, cpus=1), bench.job(reject_every=5))
    assert (summary.exit_code, summary.workers, summary.workers_lost) == (0, 2, 0)
    assert bench.part_bytes() == alone


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


def test_a_shard_that_kills_every_worker_is_given_up_and_the_rest_is_done(bench):
    summary = bench.run(RayPool(1, cpus=1), bench.job(die_always_on=(1,)))
    assert (summary.exit_code, summary.shards_done, summary.failed) == (1, 3, 8)
    assert any("workers died on this shard" in line for line in bench.said)


def test_errors_of_the_work_have_a_budget_of_their_own(bench):
    summary = bench.run(RayPool(1, cpus=1), bench.job(fail_on=(3,)))
    assert (summary.exit_code, summary.workers_lost) == (1, 0)
    assert any("shard 3 after 3 attempts: ZeroDivisionError: no square today" in line for line in bench.said)


def test_a_worker_whose_device_broke_is_let_go_and_loses_no_shard(bench):
    summary = bench.run(RayPool(1, cpus=1), bench.job(break_once_on=(0,)))
    assert (summary.exit_code, summary.published, summary.workers_lost) == (0, 32, 1)
    assert bench.attempts() >= 5
    assert len({mark.name.rsplit("-", 1)[1] for mark in bench.marks.iterdir()}) == 2  # two processes


def test_what_the_cluster_can_never_place_is_refused(bench):
    with pytest.raises(SpecError, match="each worker needs 1 GPU, the largest node of the cluster has 0"):
        bench.run(RayPool(1, cpus=1, gpus=1))
