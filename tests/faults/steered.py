"""A stage without a network whose workers obey files in a directory, so that a test decides what happens when.

    hold-3      shard 3 waits before its first row
    late-3      shard 3 waits when all its rows are computed, before anything is published
    hang-3      the worker that finds this file removes it and never comes back
    die-3       every worker that begins shard 3 dies
    raise-17    row 17 breaks any micro-batch that it is in
    infinite-17 row 17 comes out not finite
    pace        seconds that each micro-batch takes
    ahead       seconds by which the clock of the driver is ahead where it looks at how long workers take

A worker waits until the file is gone. It leaves `began-3-PID-NANOSECONDS`, and `computed-...` before it
waits to be late.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

import schemas
from pipeline.engine.job import Job
from pipeline.engine.layout import cut
from pipeline.engine.stage import Batch, Task
from pipeline.stages.microbatch import aligned, compute_or_reject
from schemas import TableSchema

VERB = "powers"
BATCH_SIZE = 4
POLL_SECONDS = 0.005
AHEAD = "ahead"


def powers(out: str, orders: str, rows: int, rows_per_shard: int, seed: int = 1) -> Job:
    """The job of the stage below: a table of squares and one of cubes. `orders` decides no row."""
    spec = {"rows": rows, "rows_per_shard": rows_per_shard, "seed": seed}
    resolved = {"generator_digest": "0" * 64}
    return Job(VERB, out, PowersStage(orders, seed), cut(rows, rows_per_shard, BATCH_SIZE), spec, resolved)


@dataclass(frozen=True)
class PowersStage:
    """Row i is i * i + seed in one table and i * i * i + seed in the other."""

    orders: str
    seed: int = 1
    name: str = field(default=VERB, init=False)
    version: int = field(default=1, init=False)

    @property
    def outputs(self) -> Mapping[str, TableSchema]:
        return {"squares": schemas.labels(("square",)), "cubes": schemas.labels(("cube",))}

    def open(self) -> PowersWorker:
        return PowersWorker(self)


class PowersWorker:
    def __init__(self, stage: PowersStage) -> None:
        self.stage, self.orders = stage, Path(stage.orders)

    def run(self, task: Task) -> Iterator[Batch]:
        mark = f"{task.shard}-{os.getpid()}-{time.monotonic_ns()}"
        (self.orders / f"began-{mark}").touch()
        self._obey(task.shard)
        for index in aligned(task.first, task.stop, BATCH_SIZE):
            wanted = task.wanted(index)
            if not wanted.any():
                continue
            kept, columns, rejects = compute_or_reject(index, wanted, partial(self._compute, index))
            time.sleep(self._pace())
            yield Batch(self._tables(kept, columns), tuple(rejects), {"rows_computed": len(kept)})
        if self._told(f"late-{task.shard}"):
            (self.orders / f"computed-{mark}").touch()
            self._wait(f"late-{task.shard}")

    def _obey(self, shard: int) -> None:
        self._wait(f"hold-{shard}")
        if self._told(f"die-{shard}"):
            os.kill(os.getpid(), signal.SIGKILL)
        if self._told(f"hang-{shard}"):
            (self.orders / f"hang-{shard}").unlink()
            self._wait(".")

    def _compute(self, index: np.ndarray, slots: np.ndarray) -> dict[str, np.ndarray]:
        cubes = index.astype(np.float32) ** 3 + self.stage.seed
        for place in np.flatnonzero(slots):
            if self._told(f"raise-{index[place]}"):
                raise ArithmeticError("no power comes of this")
            if self._told(f"infinite-{index[place]}"):
                cubes[place] = np.inf
        return {"square": index.astype(np.float32) ** 2 + self.stage.seed, "cube": cubes}

    def _tables(self, index: np.ndarray, columns: Mapping[str, np.ndarray]) -> dict:
        if not len(index):
            return {name: schema.arrow.empty_table() for name, schema in self.stage.outputs.items()}
        more = {"index": index, "age_years": columns["square"], "yaw_degrees": columns["cube"]}
        return {
            name: schema.rows({column: {**columns, **more}[column] for column in schema.arrow.names})
            for name, schema in self.stage.outputs.items()
        }

    def _pace(self) -> float:
        try:
            return float((self.orders / "pace").read_text() or 0)
        except FileNotFoundError:
            return 0.0

    def _told(self, order: str) -> bool:
        return (self.orders / order).exists()

    def _wait(self, order: str) -> None:
        while self._told(order):
            time.sleep(POLL_SECONDS)
