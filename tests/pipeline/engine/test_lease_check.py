"""A worker publishes under its own driver's lease and under no other."""

from dataclasses import replace

import pytest
from squares import SquaresStage

from pipeline.engine.attempt import attempt, outcome_of
from pipeline.engine.job_records import JobRecords
from pipeline.engine.lease import Lease
from pipeline.engine.lease_check import LeaseCheck
from pipeline.errors import LeaseLost


@pytest.fixture
def lease(bench):
    with Lease(JobRecords(bench.out, "squares").lease_url) as held:
        yield held


def try_first_shard(bench, lease_check: LeaseCheck):
    job = bench.job()
    worker = SquaresStage(str(bench.marks)).open()
    return outcome_of(attempt(worker, job.tasks[0], replace(job.outputs(), lease_check=lease_check)))


def test_under_its_own_lease_a_worker_publishes(bench, lease):
    assert try_first_shard(bench, LeaseCheck(lease.url, lease.token)).ok
    assert bench.part_bytes()


def test_under_another_drivers_lease_it_publishes_nothing_and_is_not_tried_again(bench, lease):
    outcome = try_first_shard(bench, LeaseCheck(lease.url, "of a driver that died"))
    assert (outcome.ok, outcome.retry, outcome.halt) == (False, False, True)
    assert "drives this job now" in outcome.error
    assert bench.part_bytes() == {}


def test_without_a_lease_it_publishes_nothing(bench):
    url = JobRecords(bench.out, "squares").lease_url
    with Lease(url) as held:
        lease_check = LeaseCheck(url, held.token)
    assert "the driver of this worker ended" in try_first_shard(bench, lease_check).error
    assert bench.part_bytes() == {}


def test_a_host_that_does_not_see_the_output_is_told_so(tmp_path, lease):
    with pytest.raises(LeaseLost, match="name a directory that all nodes share, or a URL"):
        LeaseCheck(str(tmp_path / "elsewhere" / "lease.json"), lease.token).check_visible()
    LeaseCheck(lease.url, lease.token).check_visible()
