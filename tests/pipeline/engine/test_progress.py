"""The line that a person watches."""

import itertools
import time
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engine.outcome import Outcome
from pipeline.engine.pool import AtWork
from pipeline.engine.print_interval import APART_SECONDS, EVERY_SECONDS, SILENT_SECONDS, PrintInterval
from pipeline.engine.progress import Progress
from pipeline.engine.stragglers import Stragglers
from tests.waiting import LONG, until


class Pool:
    """What a pool says of itself."""

    workers, lost, lost_nodes, waiting_for_resources = 8, 0, 0, False
    opened_at = None
    working: tuple[AtWork, ...] = ()

    def at_work(self):
        return self.working


def done(shard=0, seconds=1.0, **facts):
    return Outcome(shard, counters={"seconds": seconds}, **facts)


def progress_of(pool, shards=64, rows=6400, shards_done=0, rows_done=0, rows_left=6400):
    return Progress(pool, shards=shards, rows=rows, shards_done=shards_done, rows_done=rows_done, rows_left=rows_left)


def test_what_the_line_says(monkeypatch):
    pool, now = Pool(), [1000.0]
    monkeypatch.setattr("pipeline.engine.progress.time", SimpleNamespace(perf_counter=lambda: now[0]))
    progress = progress_of(pool, shards_done=41, rows_done=4100, rows_left=2300)
    assert str(progress._line()) == "Run   41/64 shards | 4,100/6,400 rows | 8 workers | 0 lost | starting | 0 rejected"
    pool.waiting_for_resources = True
    assert "| waiting for room on the cluster |" in str(progress._line())
    pool.opened_at = now[0] - 2.0
    assert "| computing |" in str(progress._line())
    pool.lost, pool.lost_nodes = 3, 1
    progress.add(done(rejects={"not finite": 12}), 100)
    progress.add(Outcome(1, error="no"), 100)
    line = str(progress._line())
    assert line.startswith("Run   42/64 shards | 4,200/6,400 rows | 8 workers | 3 lost (1 node) | ")
    assert line.endswith(" | 50.0 rows/s | 12 rejected | 1 failed | 42 s left")


def seconds_left(line: str) -> int:
    return int(line.partition(" s left")[0].rsplit(" ", 1)[1])


def test_rows_of_a_shard_count_while_it_is_worked_on_and_the_time_left_falls(monkeypatch):
    pool, now = Pool(), [1000.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    progress = progress_of(pool, shards=1, rows=64, rows_left=64)
    pool.opened_at = now[0]
    left = []
    for rows in range(8, 64, 8):
        now[0] += 4.0
        pool.working = (AtWork(0, now[0] - 1000.0, "host:1", rows),)
        line = str(progress._line())
        assert line.startswith(f"Run   0/1 shards | {rows}/64 rows | 8 workers | 0 lost | 2.0 rows/s | ")
        left.append(seconds_left(line))
    assert left == [28, 24, 20, 16, 12, 8, 4]
    progress.add(done(0), 64)  # the pool still names it, for a moment
    assert str(progress._line()).startswith("Run   1/1 shards | 64/64 rows |")


def test_a_shard_that_begins_anew_gives_its_rows_back():
    pool = Pool()
    progress = progress_of(pool)
    pool.working = (AtWork(0, 1.0, "host:1", 50), AtWork(1, 1.0, "host:2", 30))
    assert "| 80/6,400 rows |" in str(progress._line())
    pool.working = (AtWork(1, 2.0, "host:2", 40),)
    assert "| 40/6,400 rows |" in str(progress._line())


def test_a_training_tells_its_steps_its_pace_and_its_losses(monkeypatch):
    """It begins at a checkpoint, and its pace is that of the last half minute."""
    pool, now = Pool(), [1000.0]
    monkeypatch.setattr("pipeline.engine.progress.time", SimpleNamespace(perf_counter=lambda: now[0]))
    progress = Progress(pool, shards=1, rows=6250, shards_done=0, rows_done=0, rows_left=6250, unit="steps")
    assert str(progress._line()) == "Run   0/6,250 steps | starting"
    pool.opened_at = now[0]
    lines = []
    for steps in (3000, *range(3060, 3660, 60), *range(3670, 4070, 10)):
        pool.working = (AtWork(0, 5.0, "host:1", steps, "loss 0.5"),)
        lines.append(str(progress._line()))
        now[0] += 1.0
    assert lines[0] == "Run   3,000/6,250 steps | computing | loss 0.5"
    assert lines[5] == "Run   3,300/6,250 steps | 60.0 steps/s | loss 0.5 | 49 s left"
    assert lines[-1] == "Run   4,060/6,250 steps | 10.0 steps/s | loss 0.5 | 3 m 39 s left"
    pool.working, pool.lost = (AtWork(0, 0.0, "host:2", 3500, ""),), 1
    assert str(progress._line()) == "Run   3,500/6,250 steps | 1 lost | computing"


def test_two_stragglers_are_named_and_the_others_counted():
    pool = Pool()
    pool.working = tuple(AtWork(shard, 250.0 - shard, f"host:{shard}") for shard in range(4))
    progress = progress_of(pool)
    assert "slow" not in str(progress._line())
    progress.add(done(9, seconds=60.0), 100)
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
    interval, news = PrintInterval(0.0, 0.5), itertools.count()

    def due(now, share):
        return interval.due(now, share, next(news), 0.0)

    assert not due(1.9, 0.9)
    assert due(2.0, 0.55)
    assert not due(31.9, 0.59)
    assert due(32.0, 0.55)
    assert due(40.0, 0.61)


def test_what_is_not_new_is_not_said_again_but_that_it_is_not():
    interval = PrintInterval(0.0, 0.0)
    said = [now for now in range(0, 2000) if interval.due(float(now), 0.1, "the same", float(now))]
    assert said == [2, 120, 240, 480, 960, 1920]
    assert interval.due(2001.0, 0.1, "other", 0.0)
    assert not interval.due(2120.0, 0.1, "other", 119.0)
    assert interval.due(2121.0, 0.1, "other", 120.0)


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0, 0.2)), max_size=200))
def test_lines_are_never_too_close_nor_too_far_apart_while_there_is_news(steps):
    interval, now, share, said = PrintInterval(0.0, 0.0), 0.0, 0.0, [0.0]
    for number, (seconds, more) in enumerate(steps):
        now, share = now + seconds, share + more
        if interval.due(now, share, number, 0.0):
            said.append(now)
        assert now - said[-1] < EVERY_SECONDS
    assert all(after - before >= APART_SECONDS for before, after in itertools.pairwise(said))


@given(st.lists(st.tuples(st.floats(0, 60), st.integers(0, 3)), max_size=200))
def test_no_line_is_printed_twice_but_to_say_how_long_it_has_been_so(steps):
    interval, now, news, new_at, said = PrintInterval(0.0, 0.0), 0.0, None, 0.0, [None]
    for seconds, found in steps:
        now += seconds
        if found != news:
            news, new_at = found, now
        if interval.due(now, 0.0, news, now - new_at):
            assert news != said[-1] or now - new_at >= SILENT_SECONDS
            said.append(news)


@pytest.mark.parametrize(("first", "lines"), [(0.05, True), (LONG, False)])
def test_without_a_terminal_a_line_is_printed_by_time(monkeypatch, capsys, first, lines):
    monkeypatch.setattr("pipeline.engine.print_interval.APART_SECONDS", first)
    monkeypatch.setattr("pipeline.engine.print_interval.EVERY_SECONDS", first)
    monkeypatch.setattr("pipeline.engine.progress.WAKE_SECONDS", 0.01)
    due, asked = PrintInterval.due, []
    monkeypatch.setattr(PrintInterval, "due", lambda *facts: asked.append(facts) or due(*facts))
    with progress_of(Pool(), shards=4, rows=400, shards_done=1, rows_done=100, rows_left=300):
        if lines:
            said = until(lambda: capsys.readouterr().err, "a line was printed")
            assert said.startswith("Run   1/4 shards | 100/400 rows | 8 workers")
        else:
            until(lambda: len(asked) > 20, "it was asked often whether to print one")
            assert capsys.readouterr().err == ""
