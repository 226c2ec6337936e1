"""The shards of a run, and how many failures each may have: tries of the work, dead workers, lost nodes.

It is not always known at once whether a worker died because of its shard or with its node. Such a death is doubtful: it
counts against the shard unless the node turns out to be lost. A shard that has reached its limit only with doubtful
deaths is parked until they are decided, while all others go on.
"""

from collections import Counter, deque
from collections.abc import Iterable

from pipeline.engine.outcome import Outcome
from pipeline.engine.pool import ATTEMPTS, DEATHS, LOST_NODES, LOST_NODES_IN_TURN, numbered
from pipeline.engine.stage import Task


class Deaths:
    """Deaths by key, some of them doubtful: they may turn out not to count. `spent` from `limit` deaths on."""

    def __init__(self, limit: int = DEATHS) -> None:
        self._limit = limit
        self._counted: Counter[int] = Counter()
        self._doubtful: Counter[int] = Counter()

    def count(self, key: int, doubtful: bool) -> None:
        self._counted[key] += 1
        self._doubtful[key] += doubtful

    def resolve_doubt(self, key: int, excused: bool) -> bool:
        """A doubtful death is decided: if excused, it does not count. False if the key was closed before."""
        if not self._doubtful[key]:
            return False
        self._doubtful[key] -= 1
        self._counted[key] -= excused
        return True

    def spent(self, key: int) -> bool:
        return self._counted[key] >= self._limit

    def surely_spent(self, key: int) -> bool:
        """Whether it is spent even if no doubtful death counts."""
        return self._counted[key] - self._doubtful[key] >= self._limit

    def close(self, key: int) -> None:
        del self._counted[key]
        del self._doubtful[key]


class Shards:
    """The queue of a run. Each shard is waiting, given to a worker, parked, or ended; `unfinished` counts the first
    three.
    """

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._waiting = deque(tasks)
        self._parked: dict[int, tuple[Task, str]] = {}
        self._tries: Counter[int] = Counter()
        self._begun: Counter[int] = Counter()
        self._lost_nodes: Counter[int] = Counter()
        self._deaths = Deaths()
        self.unfinished = len(self._waiting)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def take(self) -> Task:
        """The next shard, for a worker."""
        return self._waiting.popleft()

    def put_back(self, task: Task) -> None:
        """Return a shard to the queue: to its front, or to its end if too many nodes were lost while they ran it."""
        late = self._lost_nodes[task.shard] > LOST_NODES_IN_TURN
        (self._waiting.append if late else self._waiting.appendleft)(task)

    def number(self, shard: int) -> int:
        """The number of the attempt that has just ended: 1 for the first of this shard, lost workers counted too."""
        self._begun[shard] += 1
        return self._begun[shard]

    def tried(self, task: Task, outcome: Outcome) -> Outcome | None:
        """A try has ended. Returns the outcome of the shard, or None if it is tried again: after all others, or at once
        if the others would fail too (the disk is full).
        """
        self._tries[task.shard] += 1
        if not outcome.ok and outcome.retry and self._tries[task.shard] < ATTEMPTS:
            (self._waiting.appendleft if outcome.halt else self._waiting.append)(task)
            return None
        return self._end(numbered(outcome, self._tries[task.shard]))

    def died(self, task: Task, why: str, doubtful: bool) -> Outcome | None:
        """A worker died while it ran this shard. Returns the outcome if the shard is given up."""
        self._deaths.count(task.shard, doubtful)
        if not self._deaths.spent(task.shard):
            return self._again(task)
        self._parked[task.shard] = (task, why)
        return self._judge(task.shard)

    def node_lost(self, task: Task) -> Outcome | None:
        """A node was lost while it ran this shard. Returns the outcome if the shard is given up."""
        self._lost_nodes[task.shard] += 1
        return self._again(task)

    def resolve_doubt(self, shard: int, node_lost: bool) -> Outcome | None:
        """A doubtful death is decided. Returns the outcome if the shard is given up for it."""
        if self._deaths.resolve_doubt(shard, excused=node_lost) and node_lost:
            self._lost_nodes[shard] += 1
            if self._lost_nodes[shard] > LOST_NODES_IN_TURN:
                task = next((task for task in self._waiting if task.shard == shard), None)
                if task is not None:  # else a worker has it, or it is parked
                    self._waiting.remove(task)
                    return self._again(task)
        return self._judge(shard) if shard in self._parked else None

    def _again(self, task: Task) -> Outcome | None:
        if self._lost_nodes[task.shard] < LOST_NODES:
            self.put_back(task)
            return None
        error = (
            f"{LOST_NODES} nodes were lost while they ran this shard, shard {task.shard}: "
            "it may be the cause; check its rows and the nodes, then run the same command again"
        )
        return self._end(Outcome(task.shard, attempts=self._begun[task.shard], error=error))

    def _judge(self, shard: int) -> Outcome | None:
        task, why = self._parked[shard]
        if not self._deaths.spent(shard):
            del self._parked[shard]
            return self._again(task)
        if not self._deaths.surely_spent(shard):
            return None
        del self._parked[shard]
        error = f"{DEATHS} workers died on this shard, shard {shard}; the last: {why}"
        return self._end(Outcome(shard, attempts=DEATHS, error=error))

    def _end(self, outcome: Outcome) -> Outcome:
        self.unfinished -= 1
        self._deaths.close(outcome.shard)
        del self._tries[outcome.shard], self._begun[outcome.shard], self._lost_nodes[outcome.shard]
        return outcome
