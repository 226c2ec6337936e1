"""Why a worker died, told from Ray's error: because of its shard, or because its node was lost.

Measured with ray.cluster_utils.Cluster, Ray 2.60: when a node leaves in order (SIGTERM, `remove_node(allow_graceful)`),
its actors' errors say "its node has died", and it is dead in `ray.nodes()` in the same moment (0.0 s). A node that is
killed whole (`allow_graceful=False`) makes its actors "unavailable" after 2.3 s and is declared dead 15 s after the
kill, by missed heartbeats. A worker that is killed on a healthy node is reported by its raylet within 0.01 s, and so is
one that ends because its raylet did, 15 s before the node is declared dead. So the list of nodes is
read again for as long as given here before a death counts against the shard. (The soak found five workers in a row
placed on a node that was dead and not yet known to be.)
"""

from collections.abc import Container, Iterator
from dataclasses import dataclass, replace

from pipeline.engine.journal import NODE_LOST, WORKER_LOST, Attempt

DIED_SECONDS = 20.0
UNREACHABLE_SECONDS = 30.0


@dataclass(frozen=True)
class Cause:
    """`node_lost`: the node is known to be lost. `seconds`: for how long it may still turn out to be."""

    why: str
    node_lost: bool = False
    seconds: float = 0.0


def cause(kind: str, text: str, preempted: bool = False) -> Cause:
    """From the name of Ray's exception, its message, and whether it says that the node was taken back (preempted)."""
    if preempted or "its node has died" in text:
        return Cause("its node was lost", node_lost=True)
    if kind == "OutOfMemoryError" or "OUT_OF_MEMORY" in text or "low on memory" in text:
        return Cause("its node ran out of memory, and Ray killed it (fewer workers, or a smaller --batch-size)")
    if kind == "ActorUnavailableError":
        return Cause("it was out of reach", seconds=UNREACHABLE_SECONDS)
    if "its worker process has died" in text:
        return Cause("its process died (killed, crashed, or out of memory)", seconds=DIED_SECONDS)
    return Cause(last_line(text) or kind, seconds=DIED_SECONDS if kind == "ActorDiedError" else 0.0)


def last_line(text: str) -> str:
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


@dataclass(frozen=True)
class DoubtfulDeath:
    """A death at `key` (a shard, or opening) on `node`; its record waits until it is known why.

    A worker that died before it reported its place has no `node`: it ran on one of the nodes `among`.
    """

    key: int
    node: str
    until: float
    record: Attempt | None
    among: frozenset[str] = frozenset()

    def lost(self, nodes: Container[str]) -> bool:
        """Whether its node, or one that may be it, is not among the live `nodes`."""
        return any(node not in nodes for node in ([self.node] if self.node else self.among))

    def attempt(self, node_lost: bool) -> Attempt | None:
        return self.record and replace(self.record, end=NODE_LOST if node_lost else WORKER_LOST)


class DoubtfulDeaths:
    """Deaths whose nodes are still being watched."""

    def __init__(self) -> None:
        self._open: list[DoubtfulDeath] = []

    def __bool__(self) -> bool:
        return bool(self._open)

    def add(self, death: DoubtfulDeath) -> None:
        self._open.append(death)

    def resolved(self, nodes: Container[str], now: float) -> Iterator[tuple[DoubtfulDeath, bool]]:
        """Those that are decided: with True if the node is not among the live `nodes`, False if the time is up."""
        watched, self._open = self._open, []
        for death in watched:
            if death.lost(nodes):
                yield death, True
            elif now >= death.until:
                yield death, False
            else:
                self._open.append(death)
