"""Stores that fail every third write lose nothing; one that is full says so and is gone on with."""

import pytest

from .whole import assert_whole, parts


@pytest.fixture
def flaky_job(job, flaky_orders):
    job.out = f"flaky://{job.out}"
    return job


def test_a_store_that_fails_every_third_write_loses_nothing(flaky_job, flaky_orders, undisturbed):
    (flaky_orders / "every-third").touch()
    driver = flaky_job.start("--workers", "2")
    driver.ended()
    (flaky_orders / "every-third").unlink()
    assert len(list(flaky_orders.glob("failed-*"))) >= 8
    assert driver.process.returncode == 0, driver.said()
    assert_whole(flaky_job.out, flaky_job.verb, undisturbed)


def test_a_full_store_ends_the_run_with_1_and_the_same_command_continues(flaky_job, flaky_orders, undisturbed):
    flaky_job.give(*(f"hold-{shard}" for shard in range(3, 8)))
    driver = flaky_job.start("--workers", "1")
    driver.when(lambda: flaky_job.published() == 3, "three shards were published")
    (flaky_orders / "full").touch()
    flaky_job.go()
    assert driver.ended() == 1, driver.said()
    assert "the disk is full: free some space, then run the same command again" in driver.said()
    assert "Traceback" not in driver.said()
    (flaky_orders / "full").unlink()
    assert len(parts(flaky_job.out)) == 9
    again = flaky_job.finish("--workers", "1")
    assert "3 done, 5 to run" in again.said()
    assert_whole(flaky_job.out, flaky_job.verb, undisturbed)


def test_s3_that_fails_every_third_put_loses_nothing(job, s3, undisturbed):
    job.out = "s3://faults/every-third"
    s3.flaky = True
    driver = job.start("--workers", "2")
    driver.ended()
    s3.flaky = False
    assert s3.failed >= 8
    assert driver.process.returncode == 0, driver.said()
    assert_whole(job.out, job.verb, undisturbed)


def test_a_driver_killed_on_s3_is_taken_over_at_once(job, s3, undisturbed):
    job.out = "s3://faults/killed"
    job.give("hold-5")
    driver = job.start("--workers", "2")
    driver.when(lambda: len(parts(job.out)) >= 9, "three shards were published")
    driver.kill()
    job.go()
    assert " 0 done," not in job.finish("--workers", "1").said()
    assert_whole(job.out, job.verb, undisturbed)
