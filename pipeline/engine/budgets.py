"""The shards of a run and what each may cost: a few tries of the work, a few dead workers, more lost nodes.

Whether a worker died of its shard or with its node is not always known at once. Such a death counts as doubtful: it
is on the shard's account until the node proves lost, and a shard whose account is full waits for that answer before
it is given up, while all others go on.
"""

from collections import Counter, deque
from collections.abc import Iterable

from pipeline.engine.outcome import Outcome
from pipeline.engine.pool import ATTEMPTS, DEATHS, LOST_NODES, LOST_NODES_IN_TURN, numbered
from pipeline.engine.stage import Task


class Deaths:
    """Deaths by key, of which some may still be excused; an account is spent at `limit`."""

    def __init__(self, limit: int = DEATHS) -> None:
        self._limit = limit
        self._counted: Counter[int] = Counter()
        self._doubtful: Counter[int] = Counter()

    def count(self, key: int, doubtful: bool) -> None:
        self._counted[key] += 1
        self._doubtful[key] += doubtful

    def resolve_doubt(self, key: int, excused: bool) -> bool:
        """A doubtful death is doubtful no more; excused, it never counted. False: the account was closed by then."""
        if not self._doubtful[key]:
            return False
        self._doubtful[key] -= 1
        self._counted[key] -= excused
        return True

    def spent(self, key: int) -> bool:
        return self._counted[key] >= self._limit

    def surely_spent(self, key: int) -> bool:
        """Whether it stays spent, however the doubts are answered."""
        return self._counted[key] - self._doubtful[key] >= self._limit

    def close(self, key: int) -> None:
        del self._counted[key]
        del self._doubtful[key]


class Shards:
    """The queue of a run. Each shard is waiting, in a worker's hands, parked, or ended; `unfinished` counts the first
    three. What is kept for a shard is dropped when it ends.
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
        """A shard has no worker any more: it is next in turn, or the last where too many nodes were lost under it."""
        late = self._lost_nodes[task.shard] > LOST_NODES_IN_TURN
        (self._waiting.append if late else self._waiting.appendleft)(task)

    def number(self, shard: int) -> int:
        """The number of the attempt that has just ended: 1 for the first of this shard, lost workers counted too."""
        self._begun[shard] += 1
        return self._begun[shard]

    def tried(self, task: Task, outcome: Outcome) -> Outcome | None:
        """A try has ended. The outcome of the shard, or None where it gets another try.

        That comes after all others; but at once where no other would fare better (the disk is full).
        """
        self._tries[task.shard] += 1
        if not outcome.ok and outcome.retry and self._tries[task.shard] < ATTEMPTS:
            (self._waiting.appendleft if outcome.halt else self._waiting.append)(task)
            return None
        return self._end(numbered(outcome, self._tries[task.shard]))

    def died(self, task: Task, why: str, doubtful: bool) -> Outcome | None:
        """A worker died at this shard. The outcome where the shard is given up."""
        self._deaths.count(task.shard, doubtful)
        if not self._deaths.spent(task.shard):
            return self._again(task)
        self._parked[task.shard] = (task, why)
        return self._judge(task.shard)

    def node_lost(self, task: Task) -> Outcome | None:
        """A node was lost while at work on this shard. The outcome where the shard is given up."""
        self._lost_nodes[task.shard] += 1
        return self._again(task)

    def resolve_doubt(self, shard: int, node_lost: bool) -> Outcome | None:
        """It is known now what a doubtful death was. The outcome where the shard is given up for it."""
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
            f"{LOST_NODES} nodes were lost while they were at work on this shard, shard {task.shard}: "
            "it may be what takes them down; see to its rows and to the nodes, then start the same command again"
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
