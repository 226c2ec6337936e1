"""Pictures of a few faces moved along each direction of a table: what a direction does, to be looked at.

Shapes: N faces, K strengths with the source; `...` stands for the shape of one row of codes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

import schemas
from pipeline.directions import Direction
from pipeline.engine.stage import NOT_FINITE, Batch, Reject, Task
from pipeline.models.codes import Codes, Space
from pipeline.models.faces import PICTURE, PIXELS
from pipeline.stages.microbatch import no_rows
from pipeline.stages.models import Model, Runtime, Truncated, open_generator, open_scorer
from pipeline.stages.pictures import Keep
from schemas import TableSchema


@dataclass(frozen=True, eq=False)
class StripsStage:
    """Move faces along each direction and keep the pictures; task k is direction k.

    units: standard deviation of the latents along each direction. faces: (N,) row numbers. codes: (N, ...) of the
    faces in each space that a direction lives in. deviations: how far, in these units, rising, without 0. truncated:
    how z was mapped.
    """

    directions: tuple[Direction, ...]
    units: tuple[float, ...]
    faces: tuple[int, ...]
    codes: Mapping[Space, NDArray[np.float32]]
    deviations: tuple[float, ...]
    generator: Model
    truncated: Truncated
    keep: Keep
    runtime: Runtime
    name: str = field(default="strips", init=False)
    version: int = field(default=1, init=False)

    @property
    def outputs(self) -> Mapping[str, TableSchema]:
        return {"strips": schemas.strips()}

    def open(self) -> "StripsWorker":
        return StripsWorker(self)


class StripsWorker:
    """The stage with its generator open."""

    def __init__(self, stage: StripsStage) -> None:
        self.stage = stage
        generator = open_generator(stage.generator, stage.runtime)
        self.faces = open_scorer(generator, stage.runtime, (), picture_size=stage.keep.size, truncated=stage.truncated)

    def run(self, task: Task) -> Iterator[Batch]:
        """One batch for each direction."""
        for index in range(task.first, task.stop):
            if task.wanted(np.array([index])).any():
                yield self._strips(index)

    def _strips(self, index: int) -> Batch:
        stage, direction = self.stage, self.stage.directions[index]
        deviations_K = np.array([0.0, *stage.deviations])
        strengths_K = deviations_K * stage.units[index]
        sources = Codes(direction.space, torch.from_numpy(stage.codes[direction.space].copy()))
        along, count = direction.along(sources), len(strengths_K)
        steps_K = torch.tensor(strengths_K, dtype=torch.float32).view(count, *(1,) * along.dim())
        moved = (sources.values[:, None] + steps_K * along).flatten(0, 1)  # (N * K, ...)
        seen = self.faces.look_at_all(Codes(direction.space, moved), stage.runtime.batch_size)
        seconds = self.faces.take_seconds()
        if not np.isfinite(seen[PICTURE]).all():
            return Batch(no_rows(stage.outputs), (Reject(index, NOT_FINITE, direction.name),), seconds)
        faces = len(stage.faces)
        columns = {
            "index": np.full(faces * count, index),
            "face": np.repeat(stage.faces, count),
            "step": np.tile(np.arange(count), faces),
            "deviations": np.tile(deviations_K, faces).astype(np.float32),
            "strength": np.tile(strengths_K, faces).astype(np.float32),
        }
        rows = stage.keep.rows(schemas.strips(), "{index}-{face:09d}-{step:02d}", columns, seen[PIXELS])
        return Batch({"strips": rows}, (), seconds)
