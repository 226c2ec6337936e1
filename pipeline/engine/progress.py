"""How far a run is: one redrawing line on a terminal; elsewhere a line now and then, where there is something new."""

import sys
import threading
import time
from collections import deque
from collections.abc import Hashable

from rich.console import Console
from rich.live import Live
from rich.text import Text

from pipeline.engine.duration import duration
from pipeline.engine.outcome import Outcome
from pipeline.engine.pool import AtWork, Pool
from pipeline.engine.print_interval import SILENT_SECONDS, PrintInterval
from pipeline.engine.stragglers import Stragglers

WAKE_SECONDS = 0.5
SLOW_NAMED = 2
ENDED_REMEMBERED = 4096
RATE_SECONDS = 30.0
"""The pace of a training is that of so many last seconds: its parts differ, and it may begin at a checkpoint."""


class Progress:
    """Show how far a run is. Rows per second are those of this run since its first worker was open; the rows of a shard
    count as they are written.

    The line is made by a thread of its own, from what `add` counted and what the pool says of itself.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        shards: int,
        rows: int,
        shards_done: int,
        rows_done: int,
        rows_left: int,
        unit: str = "rows",
    ) -> None:
        """`shards` and `rows` of the whole job, and how many of them are done; `rows_left` for this run to make.

        unit: steps where the one task is a training.
        """
        self._unit, self._steps = unit, deque[tuple[float, int]]()
        self._pool, self._shards, self._rows = pool, shards, rows
        self._done, self._rows_before, self._rows_left = shards_done, rows_done, rows_left
        self._made, self._rejected, self._failed = 0, 0, 0
        self._ended: dict[int, None] = {}
        self._stragglers = Stragglers()
        self._started = self._new_at = time.perf_counter()
        self._news: Hashable = None
        self._console = Console(file=sys.stderr)
        self._live = Live(console=self._console, refresh_per_second=4, transient=True, get_renderable=self._line)
        self._stop = threading.Event()
        self._telling = threading.Thread(target=self._tell, name="progress", daemon=True)

    def __enter__(self) -> "Progress":
        if self._console.is_terminal:
            self._live.start()
        else:
            self._telling.start()
        return self

    def __exit__(self, *raised: object) -> None:
        if self._console.is_terminal:
            self._live.stop()
        else:
            self._stop.set()
            self._telling.join()

    def add(self, outcome: Outcome, rows: int) -> None:
        """Count one outcome of `rows` planned rows."""
        self._ended[outcome.shard] = None  # before its rows are counted here, so that they are nowhere counted twice
        if len(self._ended) > ENDED_REMEMBERED:
            del self._ended[next(iter(self._ended))]
        if outcome.ok:
            self._done += 1
            self._made += rows
            self._rejected += outcome.rejected
            self._stragglers.finished(outcome.counters.get("seconds", 0.0))
        else:
            self._failed += 1
        self._rows_left -= rows

    def _tell(self) -> None:
        interval = PrintInterval(self._started, self._share())
        while not self._stop.wait(WAKE_SECONDS):
            now = time.perf_counter()
            line = self._line()
            if interval.due(now, self._share(), self._news, now - self._new_at):
                self._console.print(line, soft_wrap=True)

    def _at_work(self) -> list[AtWork]:
        """Without those that have ended, which a pool may still name for a moment."""
        return [shard for shard in self._pool.at_work() if shard.shard not in self._ended]

    def _share(self) -> float:
        rows = self._rows_before + self._made + sum(shard.rows for shard in self._at_work())
        return rows / max(1, self._rows)

    def _line(self) -> Text:
        return self._line_of_rows() if self._unit == "rows" else self._line_of_steps()

    def _line_of_steps(self) -> Text:
        """Of a training: how far it is, its pace, what it says of the last steps, and how long it will take."""
        at_work, now = self._at_work(), time.perf_counter()
        steps = self._rows_before + self._made + sum(task.rows for task in at_work)
        if self._steps and steps < self._steps[-1][1]:
            self._steps.clear()  # a new try, from its last checkpoint
        if steps and (not self._steps or steps > self._steps[-1][1]):
            self._steps.append((now, steps))
        while len(self._steps) > 2 and now - self._steps[1][0] > RATE_SECONDS:
            self._steps.popleft()
        seconds = now - self._steps[0][0] if self._steps else 0.0
        rate = (steps - self._steps[0][1]) / seconds if seconds > 0 else 0.0
        pace = [f"{rate:.1f} steps/s"] if rate else self._before_the_first_rows()
        said = [task.said for task in at_work if task.said]
        left = [f"{duration((self._rows - steps) / rate)} left"] if rate else []
        lost = [f"{self._pool.lost} lost"] if self._pool.lost else []
        silent = self._look((steps, *lost, *(pace if not rate else ())), now)
        quiet = [f"nothing new for {duration(silent)}"] if silent >= SILENT_SECONDS else []
        return Text("Run   " + " | ".join([f"{steps:,}/{self._rows:,} steps", *lost, *pace, *said, *left, *quiet]))

    def _line_of_rows(self) -> Text:
        pool, at_work, now = self._pool, self._at_work(), time.perf_counter()
        in_hand = sum(shard.rows for shard in at_work)
        seconds = now - (pool.opened_at or self._started)
        rate = (self._made + in_hand) / seconds if seconds > 0 else 0.0
        nodes = f" ({_count(pool.lost_nodes, 'node')})" if pool.lost_nodes else ""
        slow = self._stragglers.slow(at_work)
        news = [
            f"{self._done:,}/{self._shards:,} shards",
            f"{self._rows_before + self._made + in_hand:,}/{self._rows:,} rows",
            _count(pool.workers, "worker"),
            f"{pool.lost} lost{nodes}",
            f"{self._rejected:,} rejected",
            *([f"{self._failed:,} failed"] if self._failed else []),
        ]
        pace = [f"{rate:.1f} rows/s"] if rate else self._before_the_first_rows()
        if rate:
            pace.append(f"{duration(max(0, self._rows_left - in_hand) / rate)} left")
        silent = self._look((*news, *(pace if not rate else ()), *(shard.shard for shard in slow)), now)
        late = [f"slow: {_named(slow)}"] if slow else []
        quiet = [f"nothing new for {duration(silent)}"] if silent >= SILENT_SECONDS else []
        return Text("Run   " + " | ".join([*news[:4], pace[0], *news[4:], *pace[1:], *late, *quiet]))

    def _look(self, news: Hashable, now: float) -> float:
        """For how many seconds there has been nothing new."""
        if news != self._news:
            self._news, self._new_at = news, now
        return now - self._new_at

    def _before_the_first_rows(self) -> list[str]:
        if self._pool.opened_at:
            return ["computing"]
        return ["waiting for room on the cluster" if self._pool.waiting_for_resources else "starting"]


def _named(slow: list[AtWork]) -> str:
    named = [f"shard {shard.shard} for {duration(shard.seconds)} on {shard.worker}" for shard in slow[:SLOW_NAMED]]
    more = [f"+{len(slow) - SLOW_NAMED}"] if len(slow) > SLOW_NAMED else []
    return ", ".join(named + more)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
