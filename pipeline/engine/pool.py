"""The interface of a pool: stages and tasks in, outcomes out in the order in which they end.

Our own because ray.util.ActorPool has no retries, no replacement of lost workers and no growth with the cluster.
"""

import dataclasses
import time
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from typing import Protocol

from pipeline.engine.attempt import Outputs
from pipeline.engine.journal import ERROR, PUBLISHED, Attempt, Journal
from pipeline.engine.outcome import Outcome
from pipeline.engine.stage import Stage, Task

ATTEMPTS = 3
"""Tries for an error of the work itself."""

DEATHS = 5
"""Workers that may die at one shard on healthy nodes, and in a row while they open their models."""

LOST_NODES = 20
"""Nodes that may be lost under one shard: machines are taken back, but no twenty of them at the same rows."""

LOST_NODES_IN_TURN = 2
"""Up to here the shard is next in turn; after that it may be what takes machines down, and comes after all others."""


@dataclass(frozen=True)
class AtWork:
    """A running shard: for how many seconds, on which worker ("host:pid"), how many rows so far, and its report."""

    shard: int
    seconds: float
    worker: str
    rows: int = 0
    said: str = ""


class Pool(Protocol):
    """`workers` at work or being opened now (after `map` the most there were), `lost` so far, with how many nodes.

    `expected`: workers that were asked for; where there are to be as many as fit, those that `prepare` found room for.

    `opened_at`: `time.perf_counter()` when the first worker had its models open. `waiting_for_resources`: the cluster
    has had no place for a single worker yet. All of them, and `at_work`, may be read from another thread. `map` is a
    generator, and closing it stops the work.
    """

    @property
    def workers(self) -> int: ...

    @property
    def expected(self) -> int: ...

    @property
    def lost(self) -> int: ...

    @property
    def lost_nodes(self) -> int: ...

    @property
    def opened_at(self) -> float | None: ...

    @property
    def waiting_for_resources(self) -> bool: ...

    def at_work(self) -> tuple[AtWork, ...]: ...

    def prepare(self) -> None: ...

    def map(
        self, stage: Stage, tasks: Iterable[Task], outputs: Outputs, journal: Journal
    ) -> Generator[Outcome, None, None]: ...

    def close(self) -> None: ...


def numbered(outcome: Outcome, attempts: int) -> Outcome:
    return dataclasses.replace(outcome, attempts=attempts)


def ended(outcome: Outcome, number: int, seconds: float, worker: str = "", node: str = "", end: str = "") -> Attempt:
    """The journal's record of an attempt that ended now, `seconds` after it began."""
    return Attempt(
        shard=outcome.shard,
        number=number,
        worker=worker,
        node=node,
        started=time.time() - seconds,
        seconds=round(seconds, 3),
        end=end or (PUBLISHED if outcome.ok else ERROR),
        error=outcome.error,
        traceback=outcome.traceback,
        counters=outcome.counters,
    )
