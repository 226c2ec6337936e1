"""Gradients of scores over a latents table, summed a part at a time, and the directions that are made of the sums.

Shapes: N rows, B slots of a micro-batch, M rows of the latents, A attributes; `...` stands for the shape of a
direction's vector.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

import schemas
from pipeline.directions import Direction
from pipeline.directions.mean_gradient import (
    GradientSum,
    accuracies,
    mean_direction,
    of_each,
    unit_gradients,
    with_boundary,
)  # fmt: skip
from pipeline.editors.gradients import score_gradients
from pipeline.engine.stage import Batch, Task
from pipeline.models.codes import Codes, Space
from pipeline.models.generators import Generator
from pipeline.stages.codes import code_batches, codes_of, needed_columns
from pipeline.stages.joined import Joined
from pipeline.stages.microbatch import Columns, Indices, Slots, compute_or_reject
from pipeline.stages.models import ClassifierRef, Model, Runtime, open_generator, open_scorer
from pipeline.stages.source import Latents
from pipeline.tables import Table
from schemas import TableSchema

GRADIENT, SLOPE = "gradient of ", "slope of "
"""Columns beside the scores, which have the attributes' names."""
CODES_AT_ONCE = 1024


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

    def no_sums(self) -> list[GradientSum]:
        """Of each attribute, before a face was looked at."""
        return [GradientSum(0, np.zeros(self.shape)) for _ in self.classifiers.attributes]

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
        stage, sums = self.stage, self.stage.no_sums()
        last: tuple[Indices, Columns] | None = None
        batches = code_batches(stage.latents, stage.space, self.generator, task, stage.runtime.batch_size)
        for index, wanted, codes in batches:
            kept, made, rejects = compute_or_reject(index, wanted, partial(self._compute, codes))
            seconds = self.faces.take_seconds()
            before = schemas.gradients().arrow.empty_table()
            if len(kept):
                new = [GradientSum.of(self._summed(made, name)) for name in stage.classifiers.attributes]
                sums = [one.merge(other) for one, other in zip(sums, new, strict=True)]
                before = before if last is None else self._rows(*last)
                last = kept, {name: column for name, column in made.items() if not name.startswith(GRADIENT)}
            yield Batch({"gradients": before}, tuple(rejects), seconds)
        if last is not None:
            yield Batch({"gradients": self._rows(*last, sums)})

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

    def _rows(self, index: Indices, made: Columns, sums: Sequence[GradientSum] = ()) -> pa.Table:
        """A row for each face and attribute; with `sums`, those of the last face have them."""
        names = self.stage.classifiers.attributes
        rows, places = len(index), len(names)
        count = np.zeros((rows, places), dtype=np.int64)
        totals: list[NDArray[np.float64]] = [np.empty(0)] * (rows * places)
        for place, summed in enumerate(sums):
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


def directions_of(
    stage: MeanGradientStage, gradients: Table, generator: Generator | None, labels: Joined | None = None
) -> tuple[list[Direction], list[str]]:
    """The mean gradient of each attribute over a sealed table that the stage made, and of those that have none why, a
    sentence each.

    generator: is needed for w+ and s. labels: of the stage's latents; all their rows count in the accuracies.

    Raises:
        SpecError: as `codes_of`.
        StoreError: a table cannot be read.
    """
    about = {"classifier": stage.classifiers.family.fingerprint, "generator": stage.generator.fingerprint}
    with _pinned(stage.runtime.threads):
        index_N, scores, sums = _read(gradients, stage)
        means, lacking = of_each(sums, lambda name: mean_direction(name, stage.space, sums[name], **about))
        stop = None if labels or not len(index_N) else int(index_N[-1]) + 1
        index_M, along = _along(stage, means, generator, stop)
        place_N = np.searchsorted(index_M, index_N)
        found, more = of_each(means, lambda name: with_boundary(means[name], along[name][place_N], scores[name]))
        if labels is not None:
            place_J = np.searchsorted(index_M, labels.index)
            for name, direction in found.items():
                positive_J = labels.scores[:, labels.attributes.index(name)] >= 0
                told = accuracies(along[name][place_J] + direction.intercept, positive_J)
                found[name] = replace(direction, accuracies=told)
    return list(found.values()), [*lacking, *more]


def _read(
    gradients: Table, stage: MeanGradientStage
) -> tuple[Indices, dict[str, NDArray[np.float32]], dict[str, GradientSum]]:
    """index (N,), and by attribute the scores (N,) and the sum; shards in their order."""
    names, sums = stage.classifiers.attributes, stage.no_sums()
    index, scores = [np.empty(0, np.int64)], [np.empty(0, np.float32)]
    for batch in gradients.batches(["index", "place", "score", "count", "sum"]):
        index.append(batch["index"].to_numpy())
        scores.append(batch["score"].to_numpy())
        counts = batch["count"].to_numpy()
        for row in np.flatnonzero(counts).tolist():
            place = batch["place"][row].as_py()
            total = batch["sum"][row].values.to_numpy().reshape(stage.shape)
            sums[place] = sums[place].merge(GradientSum(int(counts[row]), total))
    scores_NA = np.concatenate(scores).reshape(-1, len(names))
    columns = {name: scores_NA[:, place] for place, name in enumerate(names)}
    return np.concatenate(index)[:: len(names)], columns, dict(zip(names, sums, strict=True))


def _along(
    stage: MeanGradientStage, means: Mapping[str, Direction], generator: Generator | None, stop: int | None
) -> tuple[Indices, dict[str, NDArray[np.float64]]]:
    """index (M,) of the latents below `stop`, and their distance (M,) along each direction."""
    index, along = [np.empty(0, np.int64)], {name: [np.empty(0)] for name in means}
    below = {} if stop is None else {"stop": stop}
    columns = needed_columns(stage.latents.schema, stage.space)
    for batch in stage.latents.batches(columns, rows=CODES_AT_ONCE, **below):
        rows = pa.Table.from_batches([batch])
        codes = codes_of(rows, stage.space, generator)
        index.append(schemas.to_numpy(rows["index"]))
        for name, direction in means.items():
            along[name].append(direction.distance(codes).numpy())
    return np.concatenate(index), {name: np.concatenate(pieces) for name, pieces in along.items()}


@contextmanager
def _pinned(threads: int) -> Iterator[None]:
    """So many threads for sums: their number can move the last bit."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with threadpool_limits(threads, user_api="blas"):
            yield
    finally:
        torch.set_num_threads(before)
