"""What the loop over the workers of a run (`WorkerGroup`) needs of the cluster that they run on."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from pipeline.engine.stage import Task
from pipeline.engine.worker_deaths import Cause

Nodes = Mapping[str, Mapping[str, float]]
"""Live nodes by id, with their resources."""


class WorkerDied(Exception):
    """Raised in place of a result: the worker is dead or out of reach."""

    def __init__(self, cause: Cause) -> None:
        super().__init__(cause.why)
        self.cause = cause


class Cluster(Protocol):
    """Where workers run. `start` returns a worker, a reference to its place and one to the opening of its models."""

    def start(self) -> tuple[Any, Any, Any]: ...

    def run(self, worker: Any, task: Task) -> Any:
        """A reference with several results: now and then how far it is (`Reached`), and at the end the outcome."""

    def stop(self, worker: Any) -> None: ...

    def wait(self, references: Sequence[Any], seconds: float) -> Sequence[Any]:
        """All references that are ready; waits up to `seconds` for the first."""

    def result(self, reference: Any) -> Any:
        """The result of a reference. Raise WorkerDied where there is none."""

    def nodes(self) -> Nodes | None:
        """None where the head does not answer now; raise ClusterLost where it has not answered for long."""
