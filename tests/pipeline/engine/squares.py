"""A stage whose rows are known: enough to test the engine without a network."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

import schemas
from pipeline.engine.stage import Batch, Reject, Task
from schemas import TableSchema


@dataclass(frozen=True)
class SquaresStage:
    """Row i has the label i * i. `reject_every` sets rows aside; `fail_on` and `die_on` name shards that go wrong.

    `marks` is a directory where each attempt leaves a file, so that a test can count and time them.
    """

    marks: str
    reject_every: int = 0
    fail_on: tuple[int, ...] = ()
    die_once_on: tuple[int, ...] = ()
    die_always_on: tuple[int, ...] = ()
    break_once_on: tuple[int, ...] = ()
    hang_once_on: tuple[int, ...] = ()
    slow_seconds: float = 0.0
    name: str = field(default="squares", init=False)
    version: int = field(default=1, init=False)

    @property
    def outputs(self) -> Mapping[str, TableSchema]:
        return {"labels": schemas.labels(("square",))}

    def open(self) -> SquaresWorker:
        return SquaresWorker(self)


class SquaresWorker:
    def __init__(self, stage: SquaresStage) -> None:
        self.stage = stage

    def run(self, task: Task) -> Iterator[Batch]:
        stage = self.stage
        mark = Path(stage.marks) / f"{task.shard}-{time.monotonic_ns()}-{os.getpid()}"
        earlier = list(Path(stage.marks).glob(f"{task.shard}-*"))
        mark.touch()
        for first in range(task.first, task.stop, 4):
            index = np.arange(first, min(first + 4, task.stop))
            index = index[task.wanted(index)]
            aside = index[index % stage.reject_every == 0] if stage.reject_every else index[:0]
            kept = np.setdiff1d(index, aside)
            rejects = tuple(Reject(int(i), "a multiple", f"of {stage.reject_every}") for i in aside)
            yield Batch({"labels": lambda kept=kept: _rows(kept)}, rejects, {"squares": len(kept)})
            time.sleep(3600 if task.shard in stage.hang_once_on and not earlier else stage.slow_seconds)
            if task.shard in stage.fail_on:
                raise ZeroDivisionError("no square today")
            if task.shard in stage.break_once_on and not earlier:
                raise RuntimeError("CUDA error: an illegal memory access was encountered")
            if task.shard in stage.die_always_on or (task.shard in stage.die_once_on and not earlier):
                os.kill(os.getpid(), 9)


def _rows(index: np.ndarray) -> pa.Table:
    value = (index * index).astype(np.float32)
    columns = {"index": index, "square": value, "age_years": value, "yaw_degrees": value}
    return pa.table(columns, schema=schemas.labels(("square",)).arrow)
