"""Gradients of scores over a latents table, summed a part at a time: what mean-gradient directions are made of.

Shapes: N rows, B slots of a micro-batch, A attributes; `...` stands for the shape of a direction's vector.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

import schemas
from pipeline.directions.mean_gradient import GradientSum, unit_gradients
from pipeline.editors.gradients import score_gradients
from pipeline.engine.stage import Batch, Task
from pipeline.models.codes import Codes, Space
from pipeline.stages.codes import codes_of, needed_columns
from pipeline.stages.microbatch import Columns, Slots, settle
from pipeline.stages.models import ClassifierRef, Model, Runtime, open_generator, open_scorer
from pipeline.stages.source import Latents, microbatches
from schemas import TableSchema

GRADIENT, SLOPE = "gradient of ", "slope of "
"""Columns beside the scores, which have the attributes' names."""


@dataclass(frozen=True)
class MeanGradientStage:
    """Look at the faces of latents, and sum the unit gradients of their scores, a shard at a time.

    classifiers: one direction for each attribute. shape: of a direction's vector; in w+ (W,) is one that all layers
    share. opposite: only faces on the other side are summed, those whose score is below 0.
    """

    latents: Latents
    space: Space
    shape: tuple[int, ...]
    opposite: bool
    generator: Model
    classifiers: ClassifierRef
    runtime: Runtime
    name: str = field(default="mean-gradient", init=False)
    version: int = field(default=1, init=False)

    @property
    def outputs(self) -> Mapping[str, TableSchema]:
        return {"gradients": schemas.gradients()}

    @property
    def shared(self) -> bool:
        return self.space == "w+" and len(self.shape) == 1

    def open(self) -> "MeanGradientWorker":
        return MeanGradientWorker(self)


class MeanGradientWorker:
    """The stage with its models open."""

    def __init__(self, stage: MeanGradientStage) -> None:
        self.stage = stage
        self.generator = open_generator(stage.generator, stage.runtime)
        self.faces = open_scorer(self.generator, stage.runtime, [stage.classifiers], follow=True)

    def run(self, task: Task) -> Iterator[Batch]:
        """One batch for each micro-batch; the last rows that came out have the sums."""
        names = self.stage.classifiers.attributes
        sums = [GradientSum(0, np.zeros(self.stage.shape)) for _ in names]
        last: tuple[NDArray[np.int64], Columns] | None = None
        for index, wanted, codes in self._microbatches(task):
            kept, made, rejects = settle(index, wanted, partial(self._compute, codes))
            seconds = self.faces.take_seconds()
            if not len(kept):
                yield Batch({"gradients": schemas.gradients().arrow.empty_table()}, tuple(rejects), seconds)
                continue
            sums = [
                before.merge(GradientSum.of(self._summed(made, name))) for before, name in zip(sums, names, strict=True)
            ]
            before = schemas.gradients().arrow.empty_table() if last is None else self._rows(*last)
            last = kept, {name: column for name, column in made.items() if not name.startswith(GRADIENT)}
            yield Batch({"gradients": before}, tuple(rejects), seconds)
        if last is not None:
            yield Batch({"gradients": self._rows(*last, sums)})

    def _microbatches(self, task: Task) -> Iterator[tuple[NDArray[np.int64], Slots, Codes]]:
        """index (B,), which of them are wanted, and their codes; a row keeps the slot that its index gives it."""
        stage, size = self.stage, self.stage.runtime.batch_size
        columns = needed_columns(stage.latents.schema, stage.space)
        for index, wanted, place, block in microbatches(stage.latents, columns, task, size):
            yield index, wanted, codes_of(block, stage.space, self.generator).in_slots(place, size)

    def _compute(self, codes: Codes, slots: Slots) -> Columns:
        """By attribute: its score (B,), its unit gradient (B, ...) in float64, and the norm (B,) that this had."""
        names = self.stage.classifiers.attributes
        all_of_them = [[(name, 1.0) for name in names]] * len(slots)
        scores, gradients_BA = score_gradients(
            self.faces, codes.only(slots).to(self.faces.device), all_of_them, at_once=self.faces.at_once
        )
        columns: dict[str, NDArray] = {}
        for place, name in enumerate(names):
            units, norms_B = unit_gradients(gradients_BA[:, place].double().cpu().numpy(), self.stage.shared)
            columns |= {name: scores[name].float().cpu().numpy(), GRADIENT + name: units, SLOPE + name: norms_B}
        return columns

    def _summed(self, made: Columns, name: str) -> NDArray[np.float64]:
        units = made[GRADIENT + name]
        return units[made[name] < 0] if self.stage.opposite else units

    def _rows(self, index: NDArray[np.int64], made: Columns, sums: list[GradientSum] | None = None) -> pa.Table:
        """A row for each face and attribute; with `sums`, those of the last face have them."""
        names = self.stage.classifiers.attributes
        rows, places = len(index), len(names)
        count = np.zeros((rows, places), dtype=np.int64)
        totals: list[NDArray[np.float64]] = [np.empty(0)] * (rows * places)
        for place, summed in enumerate(sums or ()):
            if summed.count:
                count[-1, place] = summed.count
                totals[(rows - 1) * places + place] = summed.total.ravel()
        return schemas.gradients().rows(
            {
                "index": np.repeat(index, places),
                "place": np.tile(np.arange(places), rows),
                "attribute": list(names) * rows,
                "score": np.stack([made[name] for name in names], axis=1).ravel(),
                "slope": np.stack([made[SLOPE + name] for name in names], axis=1).ravel(),
                "count": count.ravel(),
                "sum": totals,
            }
        )
