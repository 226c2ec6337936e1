"""Parts of a training's step, computed by helpers beside the worker that has the task.

The worker has the weights, the optimiser and the checkpoints; helpers have the models open and no state. Each of them
takes a part as it is free, and so does the worker itself: the results come in the order of the parts, whoever computed
them, so that their number changes no bit. One that dies costs time alone.

Ray Train could not do this: gradients are added by its backend, in an order that the number of workers decides, and all
of them start again when one dies.

This module does not use Ray itself: the helpers are behind `HelperCluster`.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from pipeline.engine.cluster import WorkerDied
from pipeline.engine.pool import DEATHS

log = logging.getLogger(__name__)

WAIT_SECONDS = 1.0
PATIENCE, LEAST_PATIENCE_SECONDS = 10.0, 60.0
"""A helper that takes so many times as long as the longest part so far, and so many seconds at least, is given up."""


class HelperCluster(Protocol):
    """Where helpers run. References are what `WorkerGroup` awaits: hashable, of a result to come."""

    def start(self) -> tuple[Any, Any]:
        """A helper, and a reference that is ready once it has opened its models."""

    def compute(self, helper: Any, part: Any) -> Any:
        """A reference to what the part gives."""

    def stop(self, helper: Any) -> None: ...

    def wait(self, references: Sequence[Any], seconds: float) -> Sequence[Any]:
        """All references that are ready; waits up to `seconds` for the first."""

    def result(self, reference: Any) -> Any:
        """Raises WorkerDied where there is none."""


class HelperGroup:
    """At most `most` helpers; they are started at the first step that has parts for them."""

    def __init__(self, cluster: HelperCluster, most: int) -> None:
        self._cluster, self._most = cluster, most
        self._opening: dict[Any, Any] = {}
        self._idle: list[Any] = []
        self._running: dict[Any, tuple[Any, int, float]] = {}
        self._deaths, self._longest = 0, 0.0

    def compute(self, parts: Sequence[Any], here: Callable[[Any], Any]) -> list[Any]:
        """What the parts give, in their order. here: computes one in this process. Raises what `here` raises."""
        left, found = deque(range(len(parts))), dict[int, Any]()
        self._start(len(parts) - 1)
        while len(found) < len(parts):
            self._take(found, left, 0.0)
            while left and self._idle:
                helper, place = self._idle.pop(), left.popleft()
                reference = self._cluster.compute(helper, parts[place])
                self._running[reference] = helper, place, time.perf_counter()
            if left:
                place, begun = left.popleft(), time.perf_counter()
                found[place] = here(parts[place])
                self._longest = max(self._longest, time.perf_counter() - begun)
            elif self._running:
                self._take(found, left, WAIT_SECONDS)
        return [found[place] for place in range(len(parts))]

    def close(self) -> None:
        """Stop all helpers."""
        for helper in (*self._opening.values(), *self._idle, *(helper for helper, _, _ in self._running.values())):
            self._cluster.stop(helper)
        self._opening, self._idle, self._running = {}, [], {}

    def _start(self, useful: int) -> None:
        """As many as are useful, and as have not died too often."""
        have = len(self._opening) + len(self._idle) + len(self._running)
        for _ in range(min(self._most, useful) - have):
            if self._deaths < DEATHS:
                helper, opened = self._cluster.start()
                self._opening[opened] = helper

    def _take(self, found: dict[int, Any], left: deque[int], seconds: float) -> None:
        """Results that are ready; a part whose helper died is first in turn again."""
        awaited = [*self._opening, *self._running]
        for reference in self._cluster.wait(awaited, seconds) if awaited else ():
            opened = reference in self._opening
            helper, place, _ = (self._opening.pop(reference), -1, 0.0) if opened else self._running.pop(reference)
            try:
                result = self._cluster.result(reference)
            except WorkerDied as died:
                self._lose(helper, died.cause.why)
                if not opened:
                    left.appendleft(place)
                continue
            self._idle.append(helper)
            if not opened:
                found[place], self._deaths = result, 0
        for reference, (helper, place, begun) in list(self._running.items()):
            if time.perf_counter() - begun > max(LEAST_PATIENCE_SECONDS, PATIENCE * self._longest):
                del self._running[reference]
                self._lose(helper, "it took too long")
                left.appendleft(place)

    def _lose(self, helper: Any, why: str) -> None:
        self._cluster.stop(helper)
        self._deaths += 1
        more = "" if self._deaths < DEATHS else "; no more are started"
        log.warning("a helper of the training is lost: %s%s", why, more)
