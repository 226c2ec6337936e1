"""The pool without Ray: tasks one after another in this process."""

import os
import socket
import time
from collections.abc import Generator, Iterable
from dataclasses import replace
from functools import partial

from pipeline.engine.attempt import Outputs, attempt, outcome_of
from pipeline.engine.budgets import Shards
from pipeline.engine.journal import Journal
from pipeline.engine.outcome import Outcome, Reached
from pipeline.engine.pool import AtWork, ended
from pipeline.engine.stage import Stage, Task

BROKEN = "the device is lost to this process: start the same command again, which continues"


class LocalPool:
    """One worker, in-process. It never imports ray."""

    workers = expected = 1
    lost = 0
    lost_nodes = 0
    opened_at: float | None = None
    waiting_for_resources = False

    def __init__(self) -> None:
        self._name = f"{socket.gethostname()}:{os.getpid()}"
        self._now: tuple[int, float, Reached] | None = None

    def at_work(self) -> tuple[AtWork, ...]:
        """The running shard, if there is one."""
        now = self._now
        return (AtWork(now[0], time.perf_counter() - now[1], self._name, *now[2]),) if now else ()

    def set_progress(self, shard: int, began: float, reached: Reached) -> None:
        """What `at_work` returns from now on."""
        self._now = (shard, began, reached)

    def prepare(self) -> None:
        """Nothing to join."""

    def map(
        self, stage: Stage, tasks: Iterable[Task], outputs: Outputs, journal: Journal
    ) -> Generator[Outcome, None, None]:
        """Run the tasks in order, those that failed again after the others; each gets ATTEMPTS tries.

        A device that broke halts the run: another process can have it, this one never again.

        Raises:
            StylemillError: the stage cannot open its models.
        """
        shards = Shards(tasks)
        worker = stage.open()
        self.opened_at = time.perf_counter()
        while shards.unfinished:
            task = shards.take()
            began = time.perf_counter()
            self.set_progress(task.shard, began, Reached(0))
            try:
                outcome = outcome_of(attempt(worker, task, outputs), partial(self.set_progress, task.shard, began))
            finally:
                self._now = None
            if outcome.broken:
                outcome = replace(outcome, error=f"{outcome.error} ({BROKEN})", halt=True, retry=False)
            journal(ended(outcome, shards.number(task.shard), time.perf_counter() - began, self._name))
            final = shards.tried(task, outcome)
            if final is not None:
                yield final

    def close(self) -> None:
        """Nothing to give back."""
