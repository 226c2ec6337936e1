"""The pool on Ray: actors that the driver owns, one model load each, one shard a call. The only file that knows Ray.

A lost worker is no error of its shard: `max_restarts=0, max_task_retries=0`, the shard goes back to the front of the
queue and another actor takes the place. (Ray's own retries burn out while the actor is being restarted.) A shard that
takes worker after worker down with it is given up after DEATHS, and named.
"""

import logging
import os
import time
from collections import Counter, deque
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import RayActorError, RayError

from pipeline.engine.attempt import Outputs, attempt
from pipeline.engine.journal import Journal
from pipeline.engine.outcome import Outcome
from pipeline.engine.pool import ATTEMPTS, numbered
from pipeline.engine.stage import Stage, Task, Worker
from pipeline.errors import SpecError, StylemillError

log = logging.getLogger(__name__)

DEATHS = 5
SHARDS_IN_FLIGHT = 2


class _Actor:
    """Lives in a Ray worker process: opens the stage once, then runs shards."""

    def __init__(self, stage: Stage, outputs: Outputs) -> None:
        self._stage, self._outputs = stage, outputs
        self._worker: Worker | None = None

    def open(self) -> StylemillError | None:
        """Open the models; an error meant for the user is a value here, any other one is Ray's to carry."""
        try:
            if self._outputs.fence:
                self._outputs.fence.check_visible()
            self._worker = self._stage.open()
        except StylemillError as error:
            return error
        return None

    def run(self, task: Task) -> Outcome:
        if self._worker is None:
            raise RuntimeError("run before open")
        return attempt(self._worker, task, self._outputs)


@dataclass
class _Member:
    """One actor as the driver sees it, with the shards it has in hand (the first of them is at work)."""

    actor: Any
    opening: Any
    running: dict[Any, Task] = field(default_factory=dict)
    open: bool = False


class RayPool:
    """`workers` actors of `cpus` and `gpus` each, on the cluster at `address` or on one started for this job."""

    def __init__(
        self,
        workers: int | None,
        cpus: float,
        gpus: float = 0.0,
        address: str | None = None,
        task_timeout: float | None = None,
    ) -> None:
        self.workers, self.lost = workers, 0
        self.opened_at: float | None = None
        self._cpus, self._gpus = cpus, gpus
        self._address = address or os.environ.get("RAY_ADDRESS")
        self._owned = not ray.is_initialized()
        self._members: list[_Member] = []

    def prepare(self) -> None:
        """Join or start the cluster.

        Raises:
            SpecError: there is none at the address, or it can place none of the workers asked for.
        """
        self._connect()
        self._check_feasible()

    # -- the story ----------------------------------------------------------------------------------------------------

    def map(
        self, stage: Stage, tasks: Iterable[Task], outputs: Outputs, journal: Journal
    ) -> Generator[Outcome, None, None]:
        """Run the tasks; outcomes come as they end.

        Raises:
            StylemillError: a worker cannot open its models.
        """
        queue = deque(tasks)
        tries: Counter[int] = Counter()
        deaths: Counter[int] = Counter()
        wanted = min(self.workers, len(queue))
        stage_ref, outputs_ref = ray.put(stage), ray.put(outputs)
        try:
            while queue or any(member.running for member in self._members):
                while len(self._members) < min(wanted, len(queue) + len(self._members)):
                    self._members.append(self._hire(stage_ref, outputs_ref))
                self._hand_out(queue)
                for member, reference in self._wait():
                    if reference == member.opening:
                        self._opened(member, queue, deaths)
                        continue
                    task = member.running[reference]
                    try:
                        outcome: Outcome = ray.get(reference)
                    except RayError as error:
                        given_up = self._bury(member, queue, deaths, error)
                        if given_up is not None:
                            yield given_up
                        break
                    del member.running[reference]
                    tries[task.shard] += 1
                    if outcome.broken:
                        self._retire(member, queue)
                    if outcome.ok or not outcome.retry or tries[task.shard] >= ATTEMPTS:
                        yield numbered(outcome, tries[task.shard])
                    else:
                        queue.append(task)
                    if outcome.broken:
                        break
        finally:
            self._dismiss()

    def close(self) -> None:
        """Stop the workers; the cluster too where this pool started it."""
        self._dismiss()
        if self._owned and ray.is_initialized():
            ray.shutdown()

    # -- the cluster --------------------------------------------------------------------------------------------------

    def _connect(self) -> None:
        if ray.is_initialized():
            return
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
        if self._address and self._address != "local":
            try:
                ray.init(address=self._address, **quiet)
            except ConnectionError as error:
                raise SpecError(f"no Ray cluster answers at {self._address}: {error}") from error
            return
        cpus = max(os.cpu_count() or 1, round(self.workers * self._cpus))
        ray.init(address="local", num_cpus=cpus, include_dashboard=False, **quiet)

    def _check_feasible(self) -> None:
        """An actor that no node can ever hold would wait in silence."""
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        for kind, each in (("CPU", self._cpus), ("GPU", self._gpus)):
            largest = max((node.get(kind, 0.0) for node in nodes), default=0.0)
            if each > largest:
                raise SpecError(
                    f"each worker needs {each:g} {kind}, the largest node of the cluster has {largest:g}; "
                    f"ask for less (--threads, --gpus-per-worker) or add nodes"
                )
        places = sum(
            min(int(node.get(kind, 0.0) / each) for kind, each in (("CPU", self._cpus), ("GPU", self._gpus)) if each)
            for node in nodes
        )
        if self.workers > places:
            log.warning("the cluster has room for %d of %d workers now; others join as nodes do", places, self.workers)

    # -- the workers --------------------------------------------------------------------------------------------------

    def _hire(self, stage_ref: Any, outputs_ref: Any) -> _Member:
        options = {"num_cpus": self._cpus, "num_gpus": self._gpus, "max_restarts": 0, "max_task_retries": 0}
        actor = ray.remote(**options)(_Actor).remote(stage_ref, outputs_ref)
        return _Member(actor, actor.open.remote())

    def _hand_out(self, queue: deque[Task]) -> None:
        """One shard each, and a second in hand (no idle moment between two) while the queue is long enough to share."""
        for depth in range(1, SHARDS_IN_FLIGHT + 1):
            for member in self._members:
                enough = len(queue) > (depth - 1) * len(self._members)
                if enough and member.open and len(member.running) < depth:
                    task = queue.popleft()
                    member.running[member.actor.run.remote(task)] = task

    def _wait(self) -> list[tuple[_Member, Any]]:
        owner = {}
        for member in self._members:
            for reference in member.running if member.open else [member.opening]:
                owner[reference] = member
        ready, _ = ray.wait(list(owner), num_returns=1, timeout=None)
        return [(owner[reference], reference) for reference in ready]

    def _opened(self, member: _Member, queue: deque[Task], deaths: Counter[int]) -> None:
        try:
            error: StylemillError | None = ray.get(member.opening)
        except RayActorError as lost:
            deaths[-1] += 1
            if deaths[-1] >= DEATHS:
                raise SpecError(f"{DEATHS} workers died while opening their models: {_last_line(lost)}") from lost
            self._bury(member, queue, deaths, lost)
            return
        if error is not None:
            raise error
        self.opened_at = self.opened_at or time.perf_counter()
        member.open = True

    def _bury(self, member: _Member, queue: deque[Task], deaths: Counter[int], error: BaseException) -> Outcome | None:
        """Take a dead worker off the list and its shards back; the outcome of the one that killed too many."""
        self._members.remove(member)
        self.lost += 1
        tasks = list(member.running.values())
        given_up = None
        if tasks:
            deaths[tasks[0].shard] += 1
            if deaths[tasks[0].shard] >= DEATHS:
                shard = tasks.pop(0).shard
                message = f"{DEATHS} workers died on this shard; the last: {_last_line(error)}"
                given_up = Outcome(shard, attempts=DEATHS, error=message)
        queue.extendleft(reversed(tasks))
        return given_up

    def _retire(self, member: _Member, queue: deque[Task]) -> None:
        """Let a worker go that cannot go on; the shard it had in hand besides goes back."""
        self._members.remove(member)
        self.lost += 1
        ray.kill(member.actor)
        queue.extendleft(member.running.values())

    def _dismiss(self) -> None:
        for member in self._members:
            if ray.is_initialized():
                ray.kill(member.actor)
        self._members = []


def _last_line(error: BaseException) -> str:
    return next((line.strip() for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__)
