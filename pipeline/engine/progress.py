"""One redrawing line on a terminal; elsewhere a line every 30 seconds or 5 per cent, whichever is later."""

import sys
import time

from rich.console import Console
from rich.live import Live
from rich.text import Text

from pipeline.engine.outcome import Outcome
from pipeline.engine.pool import Pool

PLAIN_SECONDS = 30.0


class Progress:
    """Show how far a run is. Rows per second are those of this run since its first worker was open."""

    def __init__(self, shards: int, done: int, rows_left: int, pool: Pool) -> None:
        self._pool = pool
        self._shards, self._done, self._workers = shards, done, pool.workers
        self._rows_left, self._rows, self._rejected, self._failed, self._lost = rows_left, 0, 0, 0, 0
        self._started = time.perf_counter()
        self._said_at, self._said_share = self._started, 0.0
        self._console = Console(file=sys.stderr)
        self._live = Live(console=self._console, refresh_per_second=4, transient=True, get_renderable=self._line)

    def __enter__(self) -> "Progress":
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *raised: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def add(self, outcome: Outcome, rows: int) -> None:
        """Count one outcome of `rows` planned rows."""
        self._lost, self._started = self._pool.lost, self._pool.opened_at or self._started
        if outcome.ok:
            self._done += 1
            self._rows += rows
            self._rejected += outcome.rejected
        else:
            self._failed += 1
        self._rows_left -= rows
        now, share = time.perf_counter(), self._done / max(1, self._shards)
        due = now - self._said_at >= PLAIN_SECONDS and share - self._said_share >= 0.05
        if due and not self._console.is_terminal:
            self._console.print(self._line(), soft_wrap=True)
            self._said_at, self._said_share = now, share

    def _line(self) -> Text:
        seconds = time.perf_counter() - self._started
        rate = self._rows / seconds if self._rows else 0.0
        parts = [
            f"{self._done:,}/{self._shards:,} shards",
            f"{self._workers} worker{'' if self._workers == 1 else 's'}",
            f"{self._lost} lost",
            f"{rate:.1f} rows/s" if rate else "starting",
            f"{self._rejected:,} rejected",
        ]
        if self._failed:
            parts.append(f"{self._failed:,} failed")
        if rate:
            parts.append(f"{duration(self._rows_left / rate)} left")
        return Text("Run   " + " | ".join(parts))


def duration(seconds: float) -> str:
    """`42 s`, `14 m 02 s`, `3 h 05 m`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} m {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} m"
