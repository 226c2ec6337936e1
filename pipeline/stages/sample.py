"""Latents alone: z -> w, no picture made.

Shapes: N rows, Z z_dim, L layers, W w_dim.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pipeline.engine.stage import Batch, Rows, Task
from pipeline.stages.dataset import latents_column, latents_schema, sampled
from pipeline.stages.microbatch import Columns, Indices, Slots, batch_of, computed_or_rejected, rows_of
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
        begun = time.perf_counter()
        for came_out in computed_or_rejected(task, self.stage.runtime.batch_size, self._compute):
            yield batch_of(self.stage.outputs, came_out, self._tables, {"map_seconds": time.perf_counter() - begun})
            begun = time.perf_counter()

    def _compute(self, index: Indices, slots: Slots) -> Columns:
        stage = self.stage
        ws_NLW = sampled(self.generator, stage.seed, index, slots, stage.psi, stage.cutoff)
        return latents_column(ws_NLW.cpu().numpy(), stage.cutoff)

    def _tables(self, index: Indices, columns: Columns) -> dict[str, Rows]:
        stage = self.stage
        facts = {"index": index, "psi": stage.psi, "seed": stage.seed, "generator": stage.generator.identity}
        return {"latents": rows_of(stage.outputs["latents"], {**columns, **facts})}
