"""Labels of latents that are already in a table: w -> image -> scores.

Shapes: N rows, L layers, W w_dim.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from pipeline.engine.stage import Batch, Task
from pipeline.models.codes import Codes
from pipeline.stages.codes import code_batches
from pipeline.stages.dataset import labels_rows, labels_schemas
from pipeline.stages.microbatch import Columns, Slots, batch_of, compute_or_reject
from pipeline.stages.models import ClassifierRef, Model, Runtime, open_generator, open_scorer
from pipeline.stages.source import Latents
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
        self.generator = open_generator(stage.generator, stage.runtime)
        self.faces = open_scorer(self.generator, stage.runtime, stage.classifiers)

    def run(self, task: Task) -> Iterator[Batch]:
        """One batch for each micro-batch of the shard."""
        stage = self.stage
        tables = partial(labels_rows, stage.classifiers)
        batches = code_batches(stage.latents, stage.latents.kept_space, None, task, stage.runtime.batch_size)
        for index, wanted, codes in batches:
            came_out = compute_or_reject(index, wanted, partial(self._compute, codes))
            yield batch_of(stage.outputs, came_out, tables, self.faces.take_seconds())

    def _compute(self, codes: Codes, slots: Slots) -> Columns:
        return self.faces.look(codes.only(slots))
