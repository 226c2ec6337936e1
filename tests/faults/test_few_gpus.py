"""More work than GPUs: workers that share one, jobs that want the same one. The GPU exists for Ray alone."""

import pytest

from tests.waiting import until

from .steering import Steering
from .whole import assert_whole, summary


@pytest.fixture
def gpu_node(cluster):
    """The one node with a GPU, beside the two without."""
    node = cluster.add(gpus=1)
    yield node
    cluster.remove(node)


@pytest.fixture
def other_job(tmp_path, cluster):
    steering = Steering(tmp_path / "other", cluster.address)
    yield steering
    steering.end()


def test_two_workers_of_half_a_gpu_work_at_the_same_time_and_no_third(job, cluster, gpu_node, undisturbed):
    job.hold_all()
    driver = job.start("--workers", "3", "--gpus", "0.5")
    driver.when(lambda: len(set(job.began())) == 2, "two workers were at work")
    assert all(cluster.node_of(pid) is gpu_node for pid in job.began())
    assert "room for 2 of 3 workers now" in driver.said()
    job.go()
    assert driver.ended() == 0, driver.said()
    assert len(set(job.began())) == 2
    assert summary(job.out, job.verb)["workers_lost"] == 0
    assert_whole(job.out, job.verb, undisturbed)


def test_two_jobs_that_want_the_only_gpu_both_finish(job, other_job, gpu_node, undisturbed):
    jobs = (job, other_job)
    for each in jobs:
        each.hold_all()
    drivers = [each.start("--workers", "2", "--gpus", "1") for each in jobs]
    until(lambda: all("Plan" in driver.said() for driver in drivers), "both had planned")
    until(lambda: any(each.began() for each in jobs), "one was at work")
    waits = drivers[1] if job.began() else drivers[0]
    until(lambda: "waiting for room on the cluster" in waits.said(), "the other waited")
    assert [bool(each.began()) for each in jobs].count(True) == 1
    for each in jobs:
        each.go()
    for each, driver in zip(jobs, drivers, strict=True):
        assert driver.ended() == 0, driver.said()
        assert len(set(each.began())) == 1
        assert_whole(each.out, each.verb, undisturbed)
