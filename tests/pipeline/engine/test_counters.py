"""What workers count: added up over shards, and of peaks the largest kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from squares import SquaresStage, SquaresWorker

from pipeline.engine.job_records import JobRecords
from pipeline.engine.local_pool import LocalPool
from pipeline.engine.outcome import merge_counters
from pipeline.engine.stage import Batch, Task

GIGABYTES = (3.0, 17.5, 2.0, 9.0)
"""Made up: what the device held at most in each of four shards; the second batch of a shard needs half."""


@dataclass(frozen=True)
class PeakStage(SquaresStage):
    def open(self) -> PeakWorker:
        return PeakWorker(self)


class PeakWorker(SquaresWorker):
    def run(self, task: Task) -> Iterator[Batch]:
        for number, batch in enumerate(super().run(task), 1):
            peak = {"peak_device_bytes": GIGABYTES[task.shard] * 1e9 / number}
            yield replace(batch, counters={**batch.counters, **peak})


@pytest.fixture
def job(bench):
    return replace(bench.job(), stage=PeakStage(str(bench.marks)))


def test_counters_are_added_and_peaks_are_not():
    counters = {}
    for peak, rows in ((2.0, 4), (5.0, 4), (3.0, 4)):
        merge_counters(counters, {"peak_device_bytes": peak, "rows": rows})
    assert counters == {"peak_device_bytes": 5.0, "rows": 12}


def test_the_summary_has_the_largest_of_all_shards_and_each_attempt_its_own(bench, job):
    summary = bench.run(LocalPool(), job)
    assert (summary.counters["peak_device_bytes"], summary.counters["squares"]) == (17.5e9, 32)
    stored = json.loads(Path(bench.out, ".stylemill/squares/summary.json").read_text())
    assert stored["counters"]["peak_device_bytes"] == 17.5e9
    of_each = {
        found.shard: found.counters["peak_device_bytes"] for found in JobRecords(bench.out, "squares").attempts()
    }
    assert of_each == {shard: gigabytes * 1e9 for shard, gigabytes in enumerate(GIGABYTES)}


def test_estimating_tells_what_a_worker_needs_on_the_device(bench, job):
    bench.run(LocalPool(), job, estimate=True)
    [line] = [line for line in bench.said if "memory:" in line]
    assert line.endswith(" GB a worker, on the device 3.00 GB")
