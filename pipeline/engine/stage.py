"""The interface of a stage: tasks go in, batches of rows come out, or at the end the files of an artifact."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, runtime_checkable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.engine.checkpoints import Checkpoints
from pipeline.tables import Artifact, ArtifactFiles
from schemas import TableSchema

Rows: TypeAlias = pa.Table | Callable[[], pa.Table]
"""Rows of one table, or how to make them: the engine calls it on the writing thread (pictures are encoded there)."""


class Helpers(Protocol):
    """Other workers of the same stage, which compute parts of a step (helpers.py)."""

    def compute(self, parts: Sequence[Any], here: Callable[[Any], Any]) -> list[Any]:
        """What the parts give, in their order; `here` computes one in this process. Raises what `here` raises."""


@dataclass(frozen=True)
class Task:
    """One shard: the half-open range [first, stop) of global row numbers, shard number `shard` of `shards`.

    `present` is the number of rows in that range where it has gaps (rows that an earlier stage rejected).
    `checkpoints`: of a task that makes an artifact, where it keeps its state. Its range is that of its steps.
    `helpers`: of such a task, who computes parts of its steps too.
    `again`: the shard is published, and the rows that it rejected are tried again; a worker looks up which they are
    and names them in `only`. The others stay as they are.
    """

    shard: int
    shards: int
    first: int
    stop: int
    present: int | None = None
    again: bool = False
    only: tuple[int, ...] | None = None
    checkpoints: Checkpoints | None = None
    helpers: Helpers | None = None

    @property
    def rows(self) -> int:
        return self.stop - self.first if self.present is None else self.present

    def wanted(self, index: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of these rows to compute."""
        inside = (index >= self.first) & (index < self.stop)
        return inside if self.only is None else inside & np.isin(index, self.only)


NOT_FINITE = "not finite"
RAISED = "raised"


@dataclass(frozen=True)
class Reject:
    """A rejected row: `reason` is a short constant that people count by, `detail` says what happened to this row.

    `traceback`: where it was raised, without anything of this machine in it: it goes into a part.
    """

    index: int
    reason: str
    detail: str = ""
    traceback: str = ""


@dataclass(frozen=True)
class Batch:
    """Rows of every output table of the stage, the rejected rows on the way, and seconds and counts by name.

    files: of a stage that makes some beside its tables, by their names below the job's directory, all in one of the
    job's `folders`. They are written before the parts are published; of a shard that is tried again they are written
    again.
    """

    tables: Mapping[str, Rows]
    rejects: tuple[Reject, ...] = ()
    counters: Mapping[str, float] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class Progress:
    """Of a task that makes an artifact: how many steps it has come to, and at the end the artifact. said: what a person
    who watches is told of these steps, as the losses.
    """

    steps: int
    made: ArtifactFiles | None = None
    counters: Mapping[str, float] = field(default_factory=dict)
    said: str = ""


class Worker(Protocol):
    """A stage that has opened its models. It lives as long as its process and runs many tasks."""

    def run(self, task: Task) -> Iterator[Batch]: ...


class Trainer(Protocol):
    """The same of a stage that makes an artifact."""

    def run(self, task: Task) -> Iterator[Progress]: ...


@runtime_checkable
class StageOfParts(Protocol):
    """A stage of one task whose steps have up to so many parts; its worker has `compute` for one of them."""

    @property
    def parts(self) -> int: ...


class Stage(Protocol):
    """A description of work, small enough to send to another process; `open` loads the models there.

    `version` is raised by hand when the rows of the stage change. `outputs` names the tables in publishing order, or
    the one artifact: `{"artifact": Artifact}`.
    """

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> int: ...

    @property
    def outputs(self) -> Mapping[str, TableSchema | type[Artifact]]: ...

    def open(self) -> Worker | Trainer: ...
