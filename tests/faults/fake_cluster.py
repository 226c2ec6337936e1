"""A Ray cluster of several nodes on this machine. The head runs no work; nodes of two CPUs come and go."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

import psutil
from ray.cluster_utils import Cluster

from tests.waiting import until

DEAD_SOON = {
    "health_check_initial_delay_ms": 2000,
    "health_check_period_ms": 1000,
    "health_check_timeout_ms": 2000,
    "health_check_failure_threshold": 4,
}
"""A node that does not answer, but whose connections stand, is dead after ten seconds; by Ray's defaults after a
minute, since a busy machine may stand still."""
STORE_BYTES = 100 * 1024 * 1024


class FakeCluster:
    def __init__(self, nodes: int = 2, cpus: int = 2, config: Mapping[str, int] | None = None) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": STORE_BYTES}
        self._cluster = Cluster(initialize_head=True, head_node_args={**head, "_system_config": dict(config or {})})
        self._cpus = cpus
        self.nodes: list[Any] = []
        self.fill(nodes)

    @property
    def address(self) -> str:
        return self._cluster.address

    def add(self, gpus: int = 0) -> Any:
        """One more node; its GPUs are numbers in Ray's bookkeeping alone."""
        resources = {"num_cpus": self._cpus, "num_gpus": gpus, "object_store_memory": STORE_BYTES}
        node = self._cluster.add_node(**resources, include_log_monitor=False)
        self.nodes.append(node)
        return node

    def fill(self, nodes: int = 2) -> None:
        """As many nodes as that, whatever a test before did to them."""
        while len(self.nodes) < nodes:
            self.add()
        while len(self.nodes) > nodes:
            self.remove(self.nodes[-1])

    def remove(self, node: Any) -> None:
        """As a spot machine goes: raylet, agents and workers at once, with no word to anybody."""
        for process in [_raylet(node), *_raylet(node).children(recursive=True)]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.nodes.remove(node)
        self._cluster.remove_node(node, allow_graceful=False)

    @contextmanager
    def cut_off(self, node: Any) -> Iterator[Callable[[int], None]]:
        """A node on which nothing moves though its connections stand, for the length of a block; then it is gone.

        Yields how to let one of its processes go on by itself.
        """
        for process in [_raylet(node), *_raylet(node).children(recursive=True)]:
            process.suspend()
        try:
            yield lambda pid: psutil.Process(pid).resume()
        finally:
            self.remove(node)

    def await_death(self, node: Any) -> None:
        """Until the cluster takes a node for dead."""
        until(lambda: node.node_id not in self._alive(), "the cluster took the node for dead")

    def kill_head(self) -> None:
        """The head with all that runs on it: the cluster's memory, its own raylet and agents."""
        for processes in self._cluster.head_node.all_processes.values():
            for each in processes:
                each.process.kill()

    def workers(self, node: Any = None) -> list[psutil.Process]:
        """Processes of actors, on one node or on all of them."""
        found = []
        for each in self.nodes if node is None else [node]:
            for process in _raylet(each).children(recursive=True):
                with suppress(psutil.NoSuchProcess):
                    words = " ".join(process.cmdline())
                    if words.startswith("ray::") and not any(other in words for other in ("IDLE", "Agent")):
                        found.append(process)
        return found

    def is_at_work(self, pid: int) -> bool:
        """Whether a worker is in the middle of a call: Ray says so in the process's title."""
        return "_Actor.run" in psutil.Process(pid).cmdline()[0]

    def node_of(self, pid: int) -> Any:
        """The node on which a process runs."""
        return next(node for node in self.nodes if pid in {p.pid for p in _raylet(node).children(recursive=True)})

    def close(self) -> None:
        for node in list(self.nodes):
            self.remove(node)
        self._cluster.shutdown()

    def _alive(self) -> set[str]:
        return {node["NodeID"] for node in self._cluster.global_state.node_table() if node["Alive"]}


def _raylet(node: Any) -> psutil.Process:
    return psutil.Process(node.all_processes["raylet"][0].process.pid)
