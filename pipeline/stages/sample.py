"""Latents alone: z -> w, no picture made.

Shapes: N rows, Z z_dim, L layers, W w_dim.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from pipeline.engine.stage import Batch, Task
from pipeline.stages.dataset import latents_column, latents_schema, sampled
from pipeline.stages.microbatch import Columns, Slots, aligned, settle
from pipeline.stages.models import Model, Runtime, open_generator
from schemas import TableSchema


@dataclass(frozen=True)
class SampleStage:
    """Sample latents; the same rows as the main job's latents table."""

    generator: Model
    seed: int
    psi: float
    cutoff: int | None
    shape: tuple[int, int]
    runtime: Runtime
    name: str = field(default="sample", init=False)
    version: int = field(default=1, init=False)

    @property
    def outputs(self) -> Mapping[str, TableSchema]:
        return {"latents": latents_schema(self.shape, self.cutoff)}

    def open(self) -> "SampleWorker":
        return SampleWorker(self)


class SampleWorker:
    """The stage with its generator open."""

    def __init__(self, stage: SampleStage) -> None:
        self.stage = stage
        self.generator = open_generator(stage.generator, stage.runtime)

    def run(self, task: Task) -> Iterator[Batch]:
        """One batch for each micro-batch of the shard."""
        stage, schema = self.stage, self.stage.outputs["latents"]
        for index in aligned(task.first, task.stop, stage.runtime.batch_size):
            wanted = task.wanted(index)
            if not wanted.any():
                continue
            begun = time.perf_counter()
            kept, columns, rejects = settle(index, wanted, partial(self._compute, index))
            facts = {"index": kept, "psi": stage.psi, "seed": stage.seed, "generator": stage.generator.name}
            rows = schema.rows({**columns, **facts}) if len(kept) else schema.arrow.empty_table()
            yield Batch({"latents": rows}, tuple(rejects), {"map_seconds": time.perf_counter() - begun})

    def _compute(self, index: NDArray[np.int64], slots: Slots) -> Columns:
        stage = self.stage
        ws_NLW = sampled(self.generator, stage.seed, index, slots, stage.psi, stage.cutoff)
        return latents_column(ws_NLW.cpu().numpy(), stage.cutoff)
