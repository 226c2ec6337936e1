"""The main job's stage: z -> w -> image -> labels, latents and pictures, in one pass over the device.

Shapes: N rows, Z z_dim, L layers, W w_dim.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import schemas
from pipeline.engine.stage import Batch, Rows, Task
from pipeline.models.codes import Codes
from pipeline.models.generators import Generator
from pipeline.models.randomness import standard_normal
from pipeline.stages.microbatch import Columns, Indices, Slots, batch_of, computed_or_rejected, rows_of
from pipeline.stages.models import ClassifierRef, Model, Runtime, open_generator, open_scorer
from pipeline.stages.pictures import Keep
from schemas import TableSchema


@dataclass(frozen=True)
class DatasetStage:
    """Sample, synthesise, label. `shape` is (num_ws, w_dim); w+ is kept where a cutoff parts the rows of w+.

    classifiers: a labels table each; all of them look at the same faces.
    """

    generator: Model
    classifiers: tuple[ClassifierRef, ...]
    seed: int
    psi: float
    cutoff: int | None
    keep: Keep | None
    shape: tuple[int, int]
    runtime: Runtime
    name: str = field(default="dataset", init=False)
    version: int = field(default=1, init=False)

    @property
    def outputs(self) -> Mapping[str, TableSchema]:
        pictures = {"images": schemas.images()} if self.keep else {}
        return {**pictures, "latents": self.latents, **labels_schemas(self.classifiers)}

    @property
    def latents(self) -> TableSchema:
        return latents_schema(self.shape, self.cutoff)

    def open(self) -> "DatasetWorker":
        return DatasetWorker(self)


class DatasetWorker:
    """The stage with its models open."""

    def __init__(self, stage: DatasetStage) -> None:
        self.stage = stage
        self.generator = open_generator(stage.generator, stage.runtime)
        self.faces = open_scorer(
            self.generator, stage.runtime, stage.classifiers, picture_size=stage.keep.size if stage.keep else None
        )

    def run(self, task: Task) -> Iterator[Batch]:
        """One batch for each micro-batch of the shard."""
        for came_out in computed_or_rejected(task, self.stage.runtime.batch_size, self._compute):
            yield batch_of(self.stage.outputs, came_out, self._tables, self.faces.take_seconds())

    def _compute(self, index: Indices, slots: Slots) -> Columns:
        stage = self.stage
        ws_NLW = sampled(self.generator, stage.seed, index, slots, stage.psi, stage.cutoff)
        return {**latents_column(ws_NLW.cpu().numpy(), stage.cutoff), **self.faces.look(Codes("w+", ws_NLW))}

    def _tables(self, index: Indices, columns: Columns) -> dict[str, Rows]:
        stage = self.stage
        facts = {"index": index, "psi": stage.psi, "seed": stage.seed, "generator": stage.generator.identity}
        tables: dict[str, Rows] = {
            "latents": rows_of(stage.latents, {**columns, **facts}),
            **labels_rows(stage.classifiers, index, columns),
        }
        if stage.keep:
            tables["images"] = stage.keep.rows(schemas.images(), "{index:09d}", {"index": index}, columns["pixels"])
        return tables


@torch.no_grad()
def sampled(generator: Generator, seed: int, index: Indices, slots: Slots, psi: float, cutoff: int | None) -> Tensor:
    """ws (B, L, W) of the rows in `slots`, truncated; those of z = 0 in the others."""
    z = Codes("z", torch.from_numpy(standard_normal(seed, index[slots], generator.z_dim)))
    return generator.map(z.in_slots(slots, len(slots)).to(generator.backend.device).values, psi, cutoff)


def labels_schemas(classifiers: Sequence[ClassifierRef]) -> dict[str, TableSchema]:
    """The labels tables, that of the first family last: its rows are counted as the job's."""
    return {ref.labels_table: schemas.labels(ref.attributes, ref.measures) for ref in reversed(classifiers)}


def labels_rows(classifiers: Sequence[ClassifierRef], index: Indices, columns: Columns) -> dict[str, Rows]:
    """The rows of each family's labels table, from the columns that a FaceScorer gave."""
    tables: dict[str, Rows] = {}
    for ref in reversed(classifiers):
        own = {name: columns[ref.prefix + name] for name in (*ref.attributes, *ref.measures)}
        tables[ref.labels_table] = schemas.labels(ref.attributes, ref.measures).rows({"index": index, **own})
    return tables


def latents_schema(shape: tuple[int, int], cutoff: int | None) -> TableSchema:
    """w where all rows of w+ are equal, ws where a cutoff parts them."""
    num_ws, w_dim = shape
    return schemas.latents("w", w_dim) if cutoff is None else schemas.latents("w+", w_dim, num_ws)


def latents_column(ws_NLW: NDArray[np.float32], cutoff: int | None) -> Columns:
    """The latents as the table keeps them."""
    return {"w": np.ascontiguousarray(ws_NLW[:, 0])} if cutoff is None else {"ws": np.ascontiguousarray(ws_NLW)}
