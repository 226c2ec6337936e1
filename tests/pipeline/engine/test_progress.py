"""The line that a person watches."""

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engine.cadence import APART_SECONDS, EVERY_SECONDS, Cadence
from pipeline.engine.outcome import Outcome
from pipeline.engine.pool import AtWork
from pipeline.engine.progress import Progress
from pipeline.engine.stragglers import Stragglers


class Pool:
    """What a pool says of itself."""

    workers, lost, lost_nodes, waiting_for_room = 8, 0, 0, False
    opened_at = None
    working: tuple[AtWork, ...] = ()

    def at_work(self):
        return self.working


def done(shard=0, seconds=1.0, **facts):
    return Outcome(shard, counters={"seconds": seconds}, **facts)


def test_what_the_line_says():
    pool = Pool()
    progress = Progress(64, 41, 2300, pool)
    assert str(progress._line()) == "Run   41/64 shards | 8 workers | 0 lost | starting | 0 rejected"
    pool.waiting_for_room = True
    assert "| waiting for room on the cluster |" in str(progress._line())
    pool.opened_at = time.perf_counter() - 2.0
    assert "| 2,300 rows to go |" in str(progress._line())
    pool.lost, pool.lost_nodes = 3, 1
    progress.add(done(rejects={"not finite": 12}), 100)
    progress.add(Outcome(1, error="no"), 100)
    line = str(progress._line())
    assert line.startswith("Run   42/64 shards | 8 workers | 3 lost (1 node) | ")
    rate = float(line.partition(" rows/s")[0].rsplit(" ", 1)[1])
    assert 40 < rate <= 50
    assert "| 12 rejected | 1 failed | 4" in line
    assert line.endswith(" s left")


def test_two_stragglers_are_named_and_the_others_counted():
    pool = Pool()
    pool.working = tuple(AtWork(shard, 250.0 - shard, f"host:{shard}") for shard in range(4))
    progress = Progress(64, 0, 6400, pool)
    assert "slow" not in str(progress._line())
    progress.add(done(seconds=60.0), 100)
    line = str(progress._line())
    assert line.endswith("slow: shard 0 for 4 m 10 s on host:0, shard 1 for 4 m 09 s on host:1, +2")


def test_slow_is_three_medians_and_ten_seconds_at_least():
    stragglers = Stragglers()
    at_work = [AtWork(0, 9.0, "a"), AtWork(1, 11.0, "b"), AtWork(2, 31.0, "c")]
    assert stragglers.slow(at_work) == []
    stragglers.finished(0.1)
    assert [shard.shard for shard in stragglers.slow(at_work)] == [2, 1]
    for _ in range(3):
        stragglers.finished(10.0)
    assert [shard.shard for shard in stragglers.slow(at_work)] == [2]


def test_lines_come_every_30_seconds_or_5_per_cent_and_two_seconds_apart():
    cadence = Cadence(0.0, 0.5)
    assert not cadence.due(1.9, 0.9)
    assert cadence.due(2.0, 0.55)
    assert not cadence.due(31.9, 0.59)
    assert cadence.due(32.0, 0.55)  # nothing arrived: a hang shows
    assert cadence.due(40.0, 0.61)


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 0.2)), max_size=200))
def test_lines_are_never_too_close_nor_too_far_apart(steps):
    cadence, now, share, said = Cadence(0.0, 0.0), 0.0, 0.0, [0.0]
    for seconds, more in steps:
        now, share = now + seconds, share + more
        if cadence.due(now, share):
            said.append(now)
        assert now - said[-1] < EVERY_SECONDS
    assert all(after - before >= APART_SECONDS for before, after in itertools.pairwise(said))


@pytest.mark.parametrize(("first", "lines"), [(0.05, True), (60.0, False)])
def test_without_a_terminal_a_line_is_printed_by_time(monkeypatch, capsys, first, lines):
    monkeypatch.setattr("pipeline.engine.cadence.APART_SECONDS", first)
    monkeypatch.setattr("pipeline.engine.cadence.EVERY_SECONDS", first)
    monkeypatch.setattr("pipeline.engine.progress.WAKE_SECONDS", 0.01)
    said, deadline = "", time.monotonic() + (10.0 if lines else 0.3)
    with Progress(4, 1, 300, Pool()):
        while not said and time.monotonic() < deadline:
            time.sleep(0.01)
            said += capsys.readouterr().err
    assert bool(said) == lines
    if lines:
        assert said.startswith("Run   1/4 shards | 8 workers")
