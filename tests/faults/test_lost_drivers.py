"""Drivers that are killed, stopped, doubled."""

import json
import os
import re
import signal
import time
from pathlib import Path

import pytest

from pipeline.engine.job_records import JobRecords
from pipeline.engine.lease import Lease, holder

from .whole import assert_whole


def test_a_killed_driver_is_taken_over_at_once_by_the_same_command(job, undisturbed):
    job.give("hold-3")
    driver = job.start("--workers", "2")
    driver.when(lambda: job.published() >= 5, "shards were published")
    driver.kill()
    assert not Path(job.out, "cubes/.stylemill/manifest.json").exists()
    assert holder(JobRecords(job.out, job.verb).lease_url)["pid"] == driver.process.pid
    job.go()
    assert " 0 done," not in job.finish("--workers", "1").said()
    assert_whole(job.out, job.verb, undisturbed)


def test_a_driver_killed_again_and_again_loses_nothing(job, undisturbed):
    job.pace(0.05)
    for workers, published in ((1, 1), (3, 3), (2, 5)):
        driver = job.start("--workers", str(workers))
        driver.when(lambda published=published: job.published() >= published, "shards were published")
        driver.kill()
    job.finish("--workers", "4")
    assert_whole(job.out, job.verb, undisturbed)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_driver_says_what_is_safe_and_the_same_command_continues(job, undisturbed, number):
    job.give(*(f"hold-{shard}" for shard in range(3, 8)))
    driver = job.start("--workers", "2")
    driver.when(lambda: job.published() == 3, "three shards were published")
    driver.tell(number)
    assert driver.ended() == 130, driver.said()
    safe = re.search(r"Stop  interrupted: (\d) shards are safe; the same command continues", driver.said())
    assert safe, driver.said()
    heard = int(safe[1])  # of the third shard it may not have heard yet
    assert heard in (2, 3)
    counts = f"{8 * heard} published + 0 rejected + 0 failed + {64 - 8 * heard} not run"
    assert f"Stop  {heard}/8 shards | 64 rows = {counts}" in driver.said()
    assert "Traceback" not in driver.said()
    assert holder(JobRecords(job.out, job.verb).lease_url) is None
    job.go()
    assert "3 done, 5 to run" in job.finish().said()
    assert_whole(job.out, job.verb, undisturbed)


def test_a_second_driver_is_turned_away_and_told_who_holds_the_lease(job, undisturbed):
    job.hold_all()
    first = job.start("--workers", "1")
    first.when(job.began, "the first was at work")
    second = job.start("--workers", "1")
    assert second.ended() == 5, second.said()
    assert f"another driver is running here: process {first.process.pid} on {os.uname().nodename}" in second.said()
    job.go()
    assert first.ended() == 0, first.said()
    assert_whole(job.out, job.verb, undisturbed)


def test_another_hosts_lease_is_respected_until_it_runs_out(job, undisturbed):
    url = JobRecords(job.out, job.verb).lease_url
    with Lease(url):
        record = {**holder(url), "host": "elsewhere"}
    Path(url).write_text(json.dumps(record))
    turned_away = job.start()
    assert turned_away.ended() == 5, turned_away.said()
    assert f"process {record['pid']} on elsewhere, its lease ends by itself in" in turned_away.said()
    Path(url).write_text(json.dumps({**record, "expires": time.time() - 1}))
    job.finish()
    assert_whole(job.out, job.verb, undisturbed)


@pytest.mark.parametrize(
    ("number", "writing"),
    [(signal.SIGINT, "powers/spec.json"), (signal.SIGTERM, "cubes/.stylemill/manifest.json")],
)
def test_a_driver_stopped_before_or_after_its_work_ends_with_130_too(job, flaky_orders, undisturbed, number, writing):
    job.out = f"flaky://{job.out}"
    block = flaky_orders / f"block-{writing.replace('/', '+')}"
    block.touch()
    driver = job.start("--workers", "2")
    driver.when(lambda: list(flaky_orders.glob("blocked-*")), f"it wrote {writing}")
    driver.tell(number)
    assert driver.ended() == 130, driver.said()
    assert "the same command continues" in driver.said()
    assert "SIGTERM received" not in driver.said()
    assert holder(JobRecords(job.out, job.verb).lease_url) is None
    block.unlink()
    job.finish("--workers", "1")
    assert_whole(job.out, job.verb, undisturbed)
