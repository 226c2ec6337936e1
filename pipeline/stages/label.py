"""Labels of latents that are already in a table: w -> image -> scores.

Shapes: N rows, L layers, W w_dim.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

import torch

import schemas
from pipeline.engine.stage import Batch, Task
from pipeline.models.codes import Codes
from pipeline.stages.dataset import labels_rows, labels_schemas
from pipeline.stages.microbatch import Columns, Slots, settle
from pipeline.stages.models import ClassifierRef, Model, Runtime, open_generator, open_scorer
from pipeline.stages.source import Latents, microbatches
from schemas import TableSchema


@dataclass(frozen=True)
class LabelStage:
    """Score the faces of latents. classifiers: a labels table each; all of them look at the same faces."""

    latents: Latents
    generator: Model
    classifiers: tuple[ClassifierRef, ...]
    runtime: Runtime
    name: str = field(default="label", init=False)
    version: int = field(default=1, init=False)

    @property
    def outputs(self) -> Mapping[str, TableSchema]:
        return labels_schemas(self.classifiers)

    def open(self) -> "LabelWorker":
        return LabelWorker(self)


class LabelWorker:
    """The stage with its models open."""

    def __init__(self, stage: LabelStage) -> None:
        self.stage = stage
        generator = open_generator(stage.generator, stage.runtime)
        self.faces = open_scorer(generator, stage.runtime, stage.classifiers)

    def run(self, task: Task) -> Iterator[Batch]:
        """One batch for each micro-batch; a row keeps the slot that its index gives it, gaps are padding."""
        stage, batch_size = self.stage, self.stage.runtime.batch_size
        column = "w" if "w" in stage.latents.schema.arrow.names else "ws"
        for index, wanted, place, rows in microbatches(stage.latents, ["index", column], task, batch_size):
            found = torch.tensor(schemas.to_numpy(rows[column]))
            codes = Codes("w" if column == "w" else "w+", found).in_slots(place, batch_size)
            kept, columns, rejects = settle(index, wanted, partial(self._compute, codes))
            tables = labels_rows(stage.classifiers, kept, columns)
            yield Batch(tables, tuple(rejects), self.faces.take_seconds())

    def _compute(self, codes: Codes, slots: Slots) -> Columns:
        return self.faces.look(codes.only(slots))
