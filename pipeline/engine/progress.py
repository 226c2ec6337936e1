"""How far a run is: one redrawing line on a terminal; elsewhere a line now and then, also when nothing arrives."""

import sys
import threading
import time

from rich.console import Console
from rich.live import Live
from rich.text import Text

from pipeline.engine.cadence import Cadence
from pipeline.engine.duration import duration
from pipeline.engine.outcome import Outcome
from pipeline.engine.pool import Pool
from pipeline.engine.stragglers import Stragglers

WAKE_SECONDS = 0.5
SLOW_NAMED = 2


class Progress:
    """Show how far a run is. Rows per second are those of this run since its first worker was open.

    The line is made by a thread of its own, from what `add` counted and what the pool says of itself.
    """

    def __init__(self, shards: int, done: int, rows_left: int, pool: Pool) -> None:
        self._pool, self._shards, self._done = pool, shards, done
        self._rows_left, self._rows, self._rejected, self._failed = rows_left, 0, 0, 0
        self._stragglers = Stragglers()
        self._started = time.perf_counter()
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
        if outcome.ok:
            self._done += 1
            self._rows += rows
            self._rejected += outcome.rejected
            self._stragglers.finished(outcome.counters.get("seconds", 0.0))
        else:
            self._failed += 1
        self._rows_left -= rows

    def _tell(self) -> None:
        cadence = Cadence(self._started, self._done / max(1, self._shards))
        while not self._stop.wait(WAKE_SECONDS):
            if cadence.due(time.perf_counter(), self._done / max(1, self._shards)):
                self._console.print(self._line(), soft_wrap=True)

    def _line(self) -> Text:
        pool = self._pool
        seconds = time.perf_counter() - (pool.opened_at or self._started)
        rate = self._rows / seconds if self._rows and seconds > 0 else 0.0
        nodes = f" ({_count(pool.lost_nodes, 'node')})" if pool.lost_nodes else ""
        parts = [
            f"{self._done:,}/{self._shards:,} shards",
            _count(pool.workers, "worker"),
            f"{pool.lost} lost{nodes}",
            f"{rate:.1f} rows/s" if rate else self._before_the_first_rows(),
            f"{self._rejected:,} rejected",
        ]
        if self._failed:
            parts.append(f"{self._failed:,} failed")
        if rate:
            parts.append(f"{duration(self._rows_left / rate)} left")
        slow = self._stragglers.slow(pool.at_work())
        if slow:
            named = [
                f"shard {shard.shard} for {duration(shard.seconds)} on {shard.worker}" for shard in slow[:SLOW_NAMED]
            ]
            more = [f"+{len(slow) - SLOW_NAMED}"] if len(slow) > SLOW_NAMED else []
            parts.append(f"slow: {', '.join(named + more)}")
        return Text("Run   " + " | ".join(parts))

    def _before_the_first_rows(self) -> str:
        if self._pool.opened_at:
            return f"{self._rows_left:,} rows to go"
        return "waiting for room on the cluster" if self._pool.waiting_for_room else "starting"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
