"""The main job on the tiny networks, where the generator comes from a file and workers obey files in a directory.

    python -m tests.faults.tiny_job MODEL ORDERS [FLAGS of stylemill dataset]

    hold-open   a worker waits before it opens its models
    hold-3      shard 3 waits before its first row; `began-3-PID-NANOSECONDS` is left by each try at it
    raise-9     row 9 breaks any micro-batch that it is in
    infinite-14 row 14 has a latent that is not finite

MODEL holds a number: another one is another generator, as another file would be.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ray import cloudpickle

import jobs.dataset
from jobs.__main__ import end, main
from pipeline.engine import head
from pipeline.engine.stage import Batch, Task
from pipeline.models import generators
from pipeline.models.generators.stylegan2 import tiny_stylegan2
from pipeline.stages.dataset import DatasetStage, DatasetWorker
from tests.waiting import LONG

POLL_SECONDS = 0.005
FROM_FILE = "tiny-from-file"


def register(model: str) -> None:
    """Make `tiny-from-file` a generator by name, in this process."""
    generators.GENERATORS[FROM_FILE] = lambda backend: tiny_stylegan2(int(Path(model).read_text()), backend=backend)


@dataclass(frozen=True)
class TinyStage(DatasetStage):
    """The stage of `stylemill dataset`, told where the file and the orders are; they decide no row."""

    model: str = ""
    orders: str = ""

    def open(self) -> DatasetWorker:
        wait(self.orders, "hold-open")
        register(self.model)
        return ObeyingWorker(self)


class ObeyingWorker(DatasetWorker):
    def __init__(self, stage: TinyStage) -> None:
        super().__init__(stage)
        self.index = np.zeros(0, dtype=np.int64)
        self._map, self.generator.map = self.generator.map, self.map

    def run(self, task: Task) -> Iterator[Batch]:
        Path(self.stage.orders, f"began-{task.shard}-{os.getpid()}-{time.monotonic_ns()}").touch()
        wait(self.stage.orders, f"hold-{task.shard}")
        yield from super().run(task)

    def _compute(self, index, slots):
        self.index = index
        for row in index[slots]:
            if Path(self.stage.orders, f"raise-{row}").exists():
                raise ArithmeticError("no face comes of this")
        return super()._compute(index, slots)

    def map(self, z_NZ, psi, cutoff):
        ws_NLW = self._map(z_NZ, psi, cutoff)
        for slot, row in enumerate(self.index):
            if Path(self.stage.orders, f"infinite-{row}").exists():
                ws_NLW[slot] = float("inf")
        return ws_NLW


def wait(orders: str, order: str) -> None:
    while Path(orders, order).exists():
        time.sleep(POLL_SECONDS)


def stage(**fields) -> TinyStage:
    return TinyStage(**fields, model=sys.argv[1], orders=sys.argv[2])


if __name__ == "__main__":
    from tests.faults import tiny_job

    cloudpickle.register_pickle_by_value(tiny_job)  # Ray's workers cannot import a test's modules
    tiny_job.register(sys.argv[1])
    head.CONNECT_SECONDS = head.ANSWER_SECONDS = LONG
    jobs.dataset.DatasetStage = tiny_job.stage
    end(main(["dataset", "--generator", FROM_FILE, *sys.argv[3:]]))
