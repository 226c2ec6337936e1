"""What `--estimate` says of the rest."""

from types import SimpleNamespace

from pipeline.engine.estimate import estimate
from pipeline.engine.outcome import Outcome

SUMMARY = SimpleNamespace(not_run=7200, workers=1)
OUTCOME = Outcome(0, counters={"seconds": 10.0})


def test_hours_are_those_with_the_workers_that_the_rest_has():
    assert "7,200 rows, 1 h 00 m with 2 workers at that rate" in estimate(OUTCOME, 10, SUMMARY, workers=2)[-1]
    assert "7,200 rows, 2 h 00 m with 1 worker at that rate" in estimate(OUTCOME, 10, SUMMARY)[-1]


def test_what_was_not_measured_is_unknown():
    assert estimate(None, 0, SUMMARY) == ["Calib speed, hours and memory unknown: no shard was left to run"]
    assert "the shard failed: no" in estimate(Outcome(0, error="no"), 10, SUMMARY)[0]
