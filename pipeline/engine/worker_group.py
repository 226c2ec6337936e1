"""The workers of a run and the loop that drives them: start them, hand out tasks, take results, replace dead workers.

This module does not use Ray itself: the workers are behind `Cluster`. The loop wakes at each result, and at least once
a second to check timeouts. The death of a worker is counted apart from errors of its shard; budgets.py has the limits
of both. A death is doubtful until it is known whether the whole node was lost (worker_deaths.py).
"""

import logging
import math
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import Any

from pipeline.engine.budgets import Deaths, Shards
from pipeline.engine.cluster import Cluster, Nodes, WorkerDied
from pipeline.engine.journal import TIMEOUT, WORKER_LOST, Attempt, Journal
from pipeline.engine.outcome import Outcome, Reached
from pipeline.engine.place import Place, check_code
from pipeline.engine.pool import DEATHS, AtWork, ended
from pipeline.engine.stage import Task
from pipeline.engine.versions import unlike
from pipeline.engine.worker_deaths import Cause, DoubtfulDeath, DoubtfulDeaths
from pipeline.errors import SpecError

log = logging.getLogger(__name__)

SHARDS_IN_FLIGHT = 2
WAKE_SECONDS = 1.0
NODES_SECONDS = 3.0
PLACE_SECONDS = 5.0
REOPEN_SECONDS = 0.5
OPEN_TIMEOUTS = 10.0
OPEN_SECONDS = 600.0
OPENING = -1
"""In place of a shard's number, for deaths of workers that were opening their models."""


class _Member:
    """One worker as the driver sees it: where it runs, and the shards that it was given (it works on the first)."""

    def __init__(self, worker: Any, placed: Any, opened: Any) -> None:
        self.worker, self.awaited, self.opened = worker, placed, opened
        self.name, self.node = "", ""
        self.open = False
        self.running: deque[tuple[Any, Task]] = deque()
        self.since, self.reached = 0.0, Reached(0)

    @property
    def task(self) -> Task | None:
        return self.running[0][1] if self.running else None


class WorkerGroup:
    """At most `wanted(nodes)` workers on a cluster. Where a shard takes longer than `task_timeout` seconds, the worker
    is replaced and one try of the shard is used up. A worker that needs more than the larger of 600 s and ten times
    `task_timeout` to open its models counts as dead.

    While shards wait, `spare` workers more than wanted are started and wait for room, so that an autoscaler sees that
    more nodes are needed.
    """

    def __init__(
        self, cluster: Cluster, wanted: Callable[[Nodes], int], task_timeout: float | None = None, spare: int = 0
    ) -> None:
        self.most, self.lost, self.lost_nodes = 0, 0, set[str]()
        self.opened_at: float | None = None
        self.waiting_for_resources = False
        self.at_work: tuple[tuple[int, float, str, Reached], ...] = ()
        self._cluster, self._wanted, self._timeout = cluster, wanted, task_timeout or math.inf
        self._open_timeout = max(OPEN_TIMEOUTS * self._timeout, OPEN_SECONDS)
        self._spare, self._size_wanted = spare, 0
        self._members: dict[_Member, None] = {}
        self._unplaced: dict[_Member, None] = {}
        self._opening: dict[_Member, None] = {}
        self._idle: dict[_Member, None] = {}
        self._awaited: dict[Any, _Member] = {}
        self._openings, self._doubtful_deaths = Deaths(), DoubtfulDeaths()
        self._nodes: Nodes = {}
        self._answered = True
        self._noted = False
        self._next_start_at = self._nodes_read_at = 0.0
        self._ticked_at = self._placed_at = time.perf_counter()

    @property
    def size(self) -> int:
        """Workers that have a place, or are wanted and wait for one; without the spare ones."""
        members = len(self._members)
        return max(members - len(self._unplaced), min(members, self._size_wanted))

    def map(self, tasks: Iterable[Task], journal: Journal) -> Generator[Outcome, None, None]:
        """Run the tasks; outcomes are yielded as they come.

        Raises:
            StylemillError: a worker runs other code or cannot open its models, or the cluster is lost.
        """
        self._shards, self._journal = Shards(tasks), journal
        try:
            while self._shards.unfinished:
                self._refresh_nodes(NODES_SECONDS)
                self._hand_out()
                self._balance()
                yield from self._tick()
                for reference in self._wait():
                    member = self._awaited.pop(reference, None)
                    if member is not None:  # else it was stopped earlier in this round
                        yield from self._result(member, reference)
        finally:
            for death, lost in self._doubtful_deaths.resolved(self._nodes, math.inf):
                self._write(death, lost)
            self.dismiss()

    def dismiss(self) -> None:
        """Stop all workers."""
        for member in list(self._members):
            self._stop(member)
        self.at_work = ()

    # -- workers ------------------------------------------------------------------------------------------------------

    def _refresh_nodes(self, every: float) -> None:
        """Read the list of the cluster's nodes, at most once in `every` seconds."""
        now = time.perf_counter()
        if not self._nodes_read_at or now - self._nodes_read_at >= every:
            nodes = self._cluster.nodes()
            self._nodes_read_at, self._answered = now, nodes is not None
            if nodes is not None:
                self._nodes = nodes

    def _hand_out(self) -> None:
        """Give each free worker a shard, and a second one (so that it never waits) if the queue is long enough.

        A worker that gets none is stopped, so that other jobs on the cluster can use its room.
        """
        for depth in range(1, SHARDS_IN_FLIGHT + 1):
            for member in self._idle:
                if len(member.running) < depth and self._shards.waiting > (depth - 1) * self.size:
                    task = self._shards.take()
                    member.running.append((self._cluster.run(member.worker, task), task))
                    if len(member.running) == 1:
                        member.since = time.perf_counter()
                        self._await(member, member.running[0][0])
        for member in [member for member in self._idle if not member.running]:
            self._stop(member)
        self._idle.clear()

    def _balance(self) -> None:
        """Start or stop workers until there are as many as are wanted and useful; those without a place stop first."""
        self._size_wanted = self._wanted(self._nodes)
        useful = len(self._members) - len(self._opening) + self._shards.waiting
        wanted = min(self._size_wanted + self._spare, useful)
        # Too many workers died while opening, if all doubtful deaths count: start no more until these are resolved.
        startup_failed = self._openings.spent(OPENING)
        if len(self._members) < wanted and time.perf_counter() >= self._next_start_at and not startup_failed:
            self._refresh_nodes(WAKE_SECONDS)
            while self._answered and len(self._members) < wanted:
                member = _Member(*self._cluster.start())
                self._members[member] = self._opening[member] = self._unplaced[member] = None
                self._await(member, member.awaited)
        elif len(self._members) > wanted and self._opening:
            spare = sorted(self._opening, key=lambda member: bool(member.name))
            for member in spare[: len(self._members) - wanted]:
                self._stop(member)
        self.most = max(self.most, self.size)

    def _await(self, member: _Member, reference: Any) -> None:
        member.awaited = reference
        self._awaited[reference] = member

    def _stop(self, member: _Member) -> None:
        """Stop a worker, even if it is or seems dead: it must not go on working unseen by the driver."""
        for group in (self._members, self._opening, self._unplaced, self._idle):
            group.pop(member, None)
        self._awaited.pop(member.awaited, None)
        self._cluster.stop(member.worker)

    def _drop(self, member: _Member) -> None:
        """Drop a worker that cannot go on; shards that it was given and had not begun go back to the queue."""
        self.lost += 1
        self._stop(member)
        while member.running:
            self._shards.put_back(member.running.pop()[1])

    # -- results ------------------------------------------------------------------------------------------------------

    def _wait(self) -> Sequence[Any]:
        if self._awaited:
            return self._cluster.wait(list(self._awaited), WAKE_SECONDS)
        time.sleep(WAKE_SECONDS / 5)
        return ()

    def _result(self, member: _Member, reference: Any) -> Iterator[Outcome]:
        try:
            result = self._cluster.result(reference)
        except WorkerDied as died:
            yield from self._on_worker_death(member, died.cause)
            return
        if isinstance(result, Reached):
            member.reached = result
            self._await(member, reference)
        elif member.open:
            yield from self._ended(member, result)
        elif not member.name:
            self._placed(member, result)
        elif result is not None:
            raise result
        else:
            self.opened_at = self.opened_at or time.perf_counter()
            self._openings.close(OPENING)
            del self._opening[member]
            member.open, self._idle[member] = True, None

    def _placed(self, member: _Member, place: Place) -> None:
        check_code(place)
        member.name, member.node, member.since = place.worker, place.node, time.perf_counter()
        del self._unplaced[member]
        self._await(member, member.opened)
        if (differs := unlike(place.versions)) and not self._noted:
            self._noted = True
            log.warning("versions on %s are not the driver's (%s): bytes may differ", member.name, differs)

    def _ended(self, member: _Member, outcome: Outcome) -> Iterator[Outcome]:
        self._journal(self._attempt(member, outcome))
        _, task = member.running.popleft()
        if outcome.broken:
            self._drop(member)
        else:
            member.since, member.reached, self._idle[member] = time.perf_counter(), Reached(0), None
            if member.running:
                self._await(member, member.running[0][0])
        yield from _yield_outcome(self._shards.tried(task, outcome))

    def _on_worker_death(self, member: _Member, cause: Cause) -> Iterator[Outcome]:
        """A worker is dead: its shard goes back to the queue; the death counts if the shard may be the cause."""
        self._refresh_nodes(WAKE_SECONDS / 5)
        placed = member.node != ""
        lost = cause.node_lost or (self._answered and placed and member.node not in self._nodes)
        doubtful = not lost and cause.seconds > 0
        task, record = member.task, None
        if task is not None:
            record = self._attempt(member, Outcome(task.shard, error=f"the worker died: {cause.why}"), WORKER_LOST)
            member.running.popleft()
        self._drop(member)
        key = OPENING if task is None else task.shard
        death = DoubtfulDeath(key, member.node, time.perf_counter() + cause.seconds, record, frozenset(self._nodes))
        if doubtful:
            self._doubtful_deaths.add(death)
        else:
            self._write(death, lost)
        if task is not None and lost:
            yield from _yield_outcome(self._shards.node_lost(task))
        elif task is not None:
            yield from _yield_outcome(self._shards.died(task, cause.why, doubtful))
        elif not lost:
            self._count_opening(cause.why, doubtful)

    def _count_opening(self, why: str, doubtful: bool = False) -> None:
        self._openings.count(OPENING, doubtful)
        self._next_start_at = time.perf_counter() + REOPEN_SECONDS
        self._check_openings(why)

    def _check_openings(self, why: str) -> None:
        if self._openings.surely_spent(OPENING):
            raise SpecError(f"{DEATHS} workers in a row died while opening their models; the last: {why}")

    def _attempt(self, member: _Member, outcome: Outcome, end: str = "") -> Attempt:
        seconds = outcome.counters.get("seconds", time.perf_counter() - member.since)
        return ended(outcome, self._shards.number(outcome.shard), seconds, member.name, member.node, end)

    def _write(self, death: DoubtfulDeath, lost: bool) -> None:
        if lost and death.node:
            self.lost_nodes.add(death.node)
        record = death.attempt(lost)
        if record is not None:
            self._journal(record)

    # -- checks over time ---------------------------------------------------------------------------------------------

    def _tick(self) -> Iterator[Outcome]:
        """Resolve doubtful deaths, stop what takes too long, update what other threads read; at most twice a second."""
        now = time.perf_counter()
        if now - self._ticked_at < WAKE_SECONDS / 2:
            return
        self._ticked_at = now
        if self._doubtful_deaths:
            self._refresh_nodes(WAKE_SECONDS)
            for death, lost in self._doubtful_deaths.resolved(self._nodes, now if self._answered else 0.0):
                yield from self._resolve(death, lost)
        running = [member for member in self._members if member.running]
        for member in running:
            if now - member.since > self._timeout:
                yield from self._time_out(member)
        for member in [member for member in self._opening if member.name]:
            if now - member.since > self._open_timeout:
                why = f"its models were not open after {self._open_timeout:g} s"
                log.warning("worker %s is replaced: %s (a limit that comes with --task-timeout)", member.name, why)
                self._drop(member)
                self._count_opening(why)
        self.at_work = tuple(
            (member.task.shard, member.since, member.name, member.reached) for member in running if member.task
        )
        if not self._members or any(member.name for member in self._members):
            self._placed_at = now
        self.waiting_for_resources = now - self._placed_at > PLACE_SECONDS

    def _resolve(self, death: DoubtfulDeath, lost: bool) -> Iterator[Outcome]:
        self._write(death, lost)
        if death.key == OPENING:
            self._openings.resolve_doubt(OPENING, excused=lost)
            self._check_openings("its process died")
        else:
            yield from _yield_outcome(self._shards.resolve_doubt(death.key, lost))

    def _time_out(self, member: _Member) -> Iterator[Outcome]:
        _, task = member.running[0]
        outcome = Outcome(task.shard, error=f"no result after {self._timeout:g} s (--task-timeout)")
        self._journal(self._attempt(member, outcome, TIMEOUT))
        member.running.popleft()
        self._drop(member)
        yield from _yield_outcome(self._shards.tried(task, outcome))


def at_work(group: WorkerGroup) -> tuple[AtWork, ...]:
    """The running shards, as the loop last saw them, with the seconds since each began."""
    now = time.perf_counter()
    return tuple(AtWork(shard, now - since, name, *reached) for shard, since, name, reached in group.at_work)


def _yield_outcome(outcome: Outcome | None) -> Iterator[Outcome]:
    if outcome is not None:
        yield outcome
