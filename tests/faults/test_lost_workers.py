"""Workers that are killed, that die of a shard, that hang."""

import random
import time
from contextlib import suppress

import psutil

from pipeline.engine.job_records import JobRecords
from pipeline.engine.journal import WORKER_LOST
from tests.waiting import until

from .whole import assert_whole, summary


def test_workers_killed_at_random_moments_are_replaced(job, cluster, undisturbed):
    chance = random.Random(1)
    job.pace(0.1)
    job.give("hold-7")
    driver = job.start("--workers", "3")
    for kill in range(1, 4):
        driver.when(lambda kill=kill: len(job.began()) > 2 * kill and cluster.workers(), "shards were begun")
        time.sleep(chance.uniform(0, 0.15))
        with suppress(psutil.NoSuchProcess, IndexError):  # one that ends by itself
            chance.choice(cluster.workers()).kill()
    job.go()
    assert driver.ended() == 0, driver.said()
    assert summary(job.out, job.verb)["workers_lost"] >= 1
    assert_whole(job.out, job.verb, undisturbed)


def test_a_shard_that_kills_its_worker_each_time_is_given_up_and_the_rest_is_done(job, undisturbed):
    job.give("die-3")
    driver = job.start("--workers", "2")
    assert driver.ended() == 1, driver.said()
    assert "shard 3" in driver.said()
    assert "5 workers died on this shard" in driver.said()
    assert "Stop  7/8 shards | 64 rows = 56 published + 0 rejected + 8 failed" in driver.said()
    tried = [attempt.end for attempt in JobRecords(job.out, job.verb).attempts() if attempt.shard == 3]
    assert tried == [WORKER_LOST] * 5
    assert len(job.began(3)) >= 5  # where the answer of the shard before dies with the worker, the death is that one's
    job.go()
    assert "7 done, 1 to run (1 failed last time)" in job.finish("--workers", "1").said()
    assert_whole(job.out, job.verb, undisturbed)


def test_a_task_that_hangs_is_timed_out_and_its_worker_replaced(job, undisturbed):
    job.give("hang-2")
    driver = job.start("--workers", "1", "--task-timeout", "3600")
    driver.when(lambda: job.began(2) and not (job.orders / "hang-2").exists(), "shard 2 hung")
    job.advance_clock(3601)
    assert driver.ended() == 0, driver.said()
    first, second = job.began(2)
    assert first != second
    assert not psutil.pid_exists(first)
    assert_whole(job.out, job.verb, undisturbed)


def test_a_task_that_always_hangs_is_an_error_that_names_the_limit(job, undisturbed):
    job.give("hold-2")
    driver = job.start("--workers", "1", "--task-timeout", "3600")
    tried = 0
    while driver.process.poll() is None:
        until(lambda tried=tried: driver.process.poll() is not None or len(job.began(2)) > tried, "shard 2 was begun")
        tried = len(job.began(2))
        job.advance_clock(3601)
    assert driver.ended() == 1, driver.said()
    assert "shard 2 after 3 attempts: no result after 3600 s (--task-timeout)" in driver.said()
    assert "Stop  7/8 shards | 64 rows = 56 published + 0 rejected + 8 failed" in driver.said()
    job.go()
    job.finish()
    assert_whole(job.out, job.verb, undisturbed)
