"""What a pool is: stages and tasks in, outcomes out in the order in which they end."""

import dataclasses
from collections.abc import Generator, Iterable
from typing import Protocol

from pipeline.engine.attempt import Outputs
from pipeline.engine.journal import Journal
from pipeline.engine.outcome import Outcome
from pipeline.engine.stage import Stage, Task

ATTEMPTS = 3
"""Tries for an error of the work itself. Lost workers and nodes have a budget of their own."""


class Pool(Protocol):
    """`workers` asked for, `lost` so far, `opened_at`: `time.perf_counter()` when the first worker had its models open.

    `map` is a generator, and closing it stops the work.
    """

    workers: int
    lost: int
    opened_at: float | None

    def prepare(self) -> None: ...

    def map(
        self, stage: Stage, tasks: Iterable[Task], outputs: Outputs, journal: Journal
    ) -> Generator[Outcome, None, None]: ...

    def close(self) -> None: ...


def numbered(outcome: Outcome, attempts: int) -> Outcome:
    return dataclasses.replace(outcome, attempts=attempts)
