"""What earlier versions kept beside the tables is read as it was meant: words that were renamed since stay known."""

import json

import pytest

from pipeline.engine.job_records import JobRecords
from pipeline.engine.local_pool import LocalPool
from pipeline.engine.outcome import Outcome


def test_an_outcome_of_a_worker_that_had_lost_the_lease():
    line = json.dumps(
        {"shard": 3, "attempts": 2, "parts": {}, "rejects": {}, "counters": {}, "error": "given up", "fenced": True}
    )
    assert Outcome.from_json(line).lease_lost


@pytest.mark.parametrize(
    "why", ["half way through taking up rejected rows", "stopped while rejected rows were tried again"]
)
def test_a_shard_that_a_retry_had_not_touched_is_not_made_again(bench, why):
    bench.run(LocalPool(), bench.job(reject_every=5))
    attempts = bench.attempts()
    JobRecords(bench.out, "squares").set_suspects({1: why})
    assert bench.run(LocalPool(), bench.job(reject_every=5)).exit_code == 0
    assert bench.attempts() == attempts
