"""Labels of latents that are already in a table: w -> image -> scores.

Shapes: N rows, L layers, W w_dim.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

import schemas
from pipeline.engine.stage import Batch, Task
from pipeline.stages.dataset import rows_of
from pipeline.stages.microbatch import Columns, Slots, settle
from pipeline.stages.models import FaceModels, Model, Runtime
from pipeline.tables import Table
from schemas import TableSchema


@dataclass(frozen=True)
class LabelStage:
    """Score the faces of a latents table; shard k reads that table's part k."""

    latents: Table
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
        rows = stage.latents.read(columns=["index", column], shards=[task.shard])
        for start, chunk in _by_microbatch(rows, batch_size):
            index = np.arange(start, start + batch_size, dtype=np.int64)
            place = chunk["index"].to_numpy() - start
            found = schemas.to_numpy(chunk[column])
            codes = np.zeros((batch_size, *found.shape[1:]), dtype=np.float32)
            codes[place] = found
            wanted = np.zeros(batch_size, dtype=bool)
            wanted[place] = True
            wanted &= task.wanted(index)
            if not wanted.any():
                continue
            kept, columns, rejects = settle(index, wanted, partial(self._compute, codes))
            schema = stage.outputs["labels"]
            labels = rows_of(schema, {**columns, "index": kept}) if len(kept) else schema.arrow.empty_table()
            yield Batch({"labels": labels}, tuple(rejects), self.models.take_seconds())

    def _compute(self, codes: NDArray[np.float32], slots: Slots) -> Columns:
        padded = np.where(slots.reshape(-1, *[1] * (codes.ndim - 1)), codes, np.float32(0))
        w = torch.from_numpy(padded).to(self.models.device)
        ws_NLW = w.unsqueeze(1).expand(-1, self.models.generator.num_ws, -1) if w.dim() == 2 else w
        return self.models.faces(ws_NLW)


def _by_microbatch(rows: pa.Table, batch_size: int) -> Iterator[tuple[int, pa.Table]]:
    """Cut rows in rising order of index where their micro-batch changes: (first index of the micro-batch, its rows)."""
    index = rows["index"].to_numpy()
    cuts = np.flatnonzero(np.diff(index // batch_size)) + 1
    for first, stop in zip([0, *cuts], [*cuts, len(index)], strict=True):
        if stop > first:
            yield int(index[first] // batch_size * batch_size), rows.slice(first, stop - first)
