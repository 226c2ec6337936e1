"""Labels of latents that are already in a table: w -> image -> scores.

Shapes: N rows, L layers, W w_dim.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

import schemas
from pipeline.engine.stage import Batch, Task
from pipeline.stages.dataset import rows_of
from pipeline.stages.microbatch import Columns, Slots, settle
from pipeline.stages.models import FaceModels, Model, Runtime
from pipeline.stages.source import Latents, microbatches
from schemas import TableSchema


@dataclass(frozen=True)
class LabelStage:
    """Score the faces of latents."""

    latents: Latents
    generator: Model
    classifiers: Model
    attributes: tuple[str, ...]
    runtime: Runtime
    name: str = field(default="label", init=False)
    version: int = field(default=1, init=False)

    @property
    def outputs(self) -> Mapping[str, TableSchema]:
        return {"labels": schemas.labels(self.attributes)}

    def open(self) -> "LabelWorker":
        return LabelWorker(self)


class LabelWorker:
    """The stage with its models open."""

    def __init__(self, stage: LabelStage) -> None:
        self.stage = stage
        self.models = FaceModels(stage.generator, stage.runtime, stage.classifiers, stage.attributes)

    def run(self, task: Task) -> Iterator[Batch]:
        """One batch for each micro-batch; a row keeps the slot that its index gives it, gaps are padding."""
        stage, batch_size = self.stage, self.stage.runtime.batch_size
        column = "w" if "w" in stage.latents.schema.arrow.names else "ws"
        for index, wanted, place, rows in microbatches(stage.latents, ["index", column], task, batch_size):
            found = schemas.to_numpy(rows[column])
            codes = np.zeros((batch_size, *found.shape[1:]), dtype=np.float32)
            codes[place] = found
            kept, columns, rejects = settle(index, wanted, partial(self._compute, codes))
            schema = stage.outputs["labels"]
            labels = rows_of(schema, {**columns, "index": kept}) if len(kept) else schema.arrow.empty_table()
            yield Batch({"labels": labels}, tuple(rejects), self.models.take_seconds())

    def _compute(self, codes: NDArray[np.float32], slots: Slots) -> Columns:
        padded = np.where(slots.reshape(-1, *[1] * (codes.ndim - 1)), codes, np.float32(0))
        w = torch.from_numpy(padded).to(self.models.device)
        ws_NLW = w.unsqueeze(1).expand(-1, self.models.generator.num_ws, -1) if w.dim() == 2 else w
        return self.models.faces(ws_NLW)
