"""The pool without Ray: tasks one after another in this process."""

import time
from collections.abc import Generator, Iterable

from pipeline.engine.attempt import Outputs, attempt
from pipeline.engine.journal import Journal
from pipeline.engine.outcome import Outcome
from pipeline.engine.pool import ATTEMPTS, numbered
from pipeline.engine.stage import Stage, Task


class LocalPool:
    """One worker, in-process. It never imports ray."""

    workers = 1
    lost = 0
    opened_at: float | None = None

    def prepare(self) -> None:
        """Nothing to join."""

    def map(
        self, stage: Stage, tasks: Iterable[Task], outputs: Outputs, journal: Journal
    ) -> Generator[Outcome, None, None]:
        """Run the tasks in order; each gets ATTEMPTS tries.

        Raises:
            StylemillError: the stage cannot open its models.
        """
        worker = stage.open()
        self.opened_at = time.perf_counter()
        for task in tasks:
            for number in range(1, ATTEMPTS + 1):
                outcome = numbered(attempt(worker, task, outputs), number)
                if outcome.ok or not outcome.retry:
                    break
            yield outcome

    def close(self) -> None:
        """Nothing to give back."""
