"""Directions fitted on scored rows, one task for each attribute; all tasks share one copy of the rows.

Shapes: N rows, A attributes.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

import schemas
from pipeline.directions.choose import Cell
from pipeline.directions.method import FitConfig, FitInputs
from pipeline.directions.names import check_name
from pipeline.directions.unreliable import count_held_out
from pipeline.engine.stage import Batch, Task
from pipeline.errors import SpecError
from pipeline.stages.channel_rows import channel_rows
from pipeline.stages.direction_rows import to_rows
from pipeline.stages.fit_rows import FitRows
from schemas import TableSchema


@dataclass(frozen=True, eq=False)
class FitStage:
    """Fit a direction of each attribute; row and shard k are attribute k.

    layers: name and width of each style layer, where rows are in s and the generator is known.
    scores: (N, A). classifiers: what scored each attribute. config: the method, and what was asked of it. seed: of the
    split into rows to fit on and rows to validate on. thresholds: by attribute, of those that are yes or no.
    """

    rows: FitRows
    scores: NDArray[np.floating]
    attributes: tuple[str, ...]
    classifiers: tuple[str | None, ...]
    config: FitConfig
    seed: int
    generator: str | None
    threads: int = 1
    thresholds: Mapping[str, float] = field(default_factory=dict)
    layers: tuple[tuple[str, int], ...] = ()
    name: str = field(default="fit", init=False)
    version: int = field(default=4, init=False)

    @property
    def outputs(self) -> Mapping[str, TableSchema]:
        tried = any(self.config_of(attribute).keeps_tried for attribute in self.attributes)
        grids = {"grids": schemas.grids()} if tried else {}
        normals = {"hyperplanes": schemas.directions()} if self.config.keeps_hyperplanes else {}
        channels = {"channels": schemas.channels()} if normals and self.rows.space == "s" else {}
        return {**grids, **normals, **channels, "directions": schemas.directions()}

    def config_of(self, attribute: str) -> FitConfig:
        """How one attribute is fitted."""
        threshold = self.thresholds.get(attribute)
        return self.config if threshold is None else self.config.of_yes_or_no(threshold)

    def check(self) -> None:
        """Raise SpecError, naming the attribute, where its scores cannot be fitted as asked, or its name could not be
        typed to choose its direction.
        """
        for attribute, scores_N in zip(self.attributes, self.scores.T, strict=True):
            check_name(attribute)
            try:
                self.config_of(attribute).check(scores_N, self.seed)
            except SpecError as error:
                raise SpecError(f"{attribute}: {error}") from error

    def open(self) -> "FitWorker":
        return FitWorker(self)


class FitWorker:
    """The stage, with its rows as codes."""

    def __init__(self, stage: FitStage) -> None:
        self.stage = stage
        self.codes = stage.rows.codes()

    def run(self, task: Task) -> Iterator[Batch]:
        """One batch for each attribute. The threads of BLAS are pinned: their number can move the last bit."""
        for index in range(task.first, task.stop):
            if not task.wanted(np.array([index])).any():
                continue
            with threadpool_limits(self.stage.threads, user_api="blas"):
                yield self._fit(index)

    def _fit(self, index: int) -> Batch:
        stage, begun, attribute = self.stage, time.perf_counter(), self.stage.attributes[index]
        config, rows = stage.config_of(attribute), stage.rows
        given = FitInputs(
            self.codes, stage.scores[:, index], attribute, stage.seed, rows.per_layer, stage.generator,
            stage.classifiers[index],
        )  # fmt: skip
        try:
            found = config.fit(given)
        except SpecError as error:
            raise SpecError(f"{attribute}: {error}") from error
        counters = {**found.counters, **count_held_out(config, found, given)}
        tables = {"directions": to_rows([rows.named(found.direction)], index)}
        if found.hyperplane is not None:
            tables["hyperplanes"] = to_rows([rows.named(found.hyperplane)], index)
            if "channels" in stage.outputs:
                tables["channels"] = channel_rows(index, found.direction, found.hyperplane, stage.layers)
        if "grids" in stage.outputs:
            tables["grids"] = _grid(index, attribute, found.tried)
        return Batch(tables, (), {"fit_seconds": time.perf_counter() - begun, **counters})


def _grid(index: int, attribute: str, cells: Sequence[Cell]) -> pa.Table:
    names = ("C", "fraction", "rows_per_class", "agreement", "validation")
    columns = {name: [_or_null(getattr(cell, name)) for cell in cells] for name in names}
    return schemas.grids().rows(
        {
            **columns,
            "index": np.full(len(cells), index),
            "candidate": range(len(cells)),
            "attribute": [attribute] * len(cells),
        }
    )


def _or_null(number: float) -> float | None:
    return number if np.isfinite(number) else None
