"""Directions from a table of gradients: sums merged in the order of the shards, boundaries from the codes' distances.

Shapes: N rows of the gradients, M of the latents, A attributes.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

import schemas
from pipeline.directions import Direction
from pipeline.directions.mean_gradient import GradientSum, accuracies, mean_direction, with_boundary
from pipeline.errors import SpecError
from pipeline.models.generators import Generator
from pipeline.stages.codes import codes_of, needed_columns
from pipeline.stages.joined import Joined
from pipeline.stages.mean_gradient import MeanGradientStage
from pipeline.tables import Table

CODES_AT_ONCE = 1024


@dataclass(frozen=True, eq=False)
class Found:
    """The directions that there are, and for each attribute that has none why, a sentence."""

    directions: tuple[Direction, ...]
    lacking: tuple[str, ...]


def directions_of(
    stage: MeanGradientStage, gradients: Table, generator: Generator | None, labels: Joined | None = None
) -> Found:
    """The mean gradient of each attribute over a sealed table that the stage made.

    generator: is needed for w+ and s. labels: of the stage's latents; all their rows count in the accuracies.

    Raises:
        SpecError: as `codes_of`.
        StoreError: a table cannot be read.
    """
    with _pinned(stage.runtime.threads):
        sums, index_N, scores_NA = _read(gradients, stage)
        found, lacking = _means(stage, sums)
        stop = None if labels or not len(index_N) else int(index_N[-1]) + 1
        index_M, along_MA = _along(stage, list(found.values()), generator, stop)
        directions = []
        for column, (place, mean) in enumerate(found.items()):
            try:
                along_N = along_MA[np.searchsorted(index_M, index_N), column]
                bounded = with_boundary(mean, along_N, scores_NA[:, place])
            except SpecError as error:
                lacking.append(str(error))
                continue
            told = {}
            if labels is not None:
                along_J = along_MA[np.searchsorted(index_M, labels.index), column] + bounded.intercept
                told = accuracies(along_J, labels.scores[:, labels.attributes.index(mean.attribute)] >= 0)
            directions.append(replace(bounded, accuracies=told))
    return Found(tuple(directions), tuple(lacking))


def _read(
    gradients: Table, stage: MeanGradientStage
) -> tuple[list[GradientSum], NDArray[np.int64], NDArray[np.float32]]:
    """The sum of each attribute, index (N,) and scores (N, A)."""
    places = len(stage.classifiers.attributes)
    sums = [GradientSum(0, np.zeros(stage.shape)) for _ in range(places)]
    index, scores = [np.empty(0, np.int64)], [np.empty(0, np.float32)]
    for batch in gradients.batches(["index", "place", "score", "count", "sum"]):
        index.append(batch["index"].to_numpy())
        scores.append(batch["score"].to_numpy())
        counts = batch["count"].to_numpy()
        for row in np.flatnonzero(counts).tolist():
            place = batch["place"][row].as_py()
            total = batch["sum"][row].values.to_numpy().reshape(stage.shape)
            sums[place] = sums[place].merge(GradientSum(int(counts[row]), total))
    return sums, np.concatenate(index)[::places], np.concatenate(scores).reshape(-1, places)


def _means(stage: MeanGradientStage, sums: list[GradientSum]) -> tuple[dict[int, Direction], list[str]]:
    """Directions by the number of their attribute, and what is said of the others."""
    found, lacking = {}, []
    classifier, generator = stage.classifiers.family.fingerprint, stage.generator.fingerprint
    for place, (name, summed) in enumerate(zip(stage.classifiers.attributes, sums, strict=True)):
        try:
            found[place] = mean_direction(name, stage.space, summed, classifier=classifier, generator=generator)
        except SpecError as error:
            lacking.append(str(error))
    return found, lacking


def _along(
    stage: MeanGradientStage, directions: list[Direction], generator: Generator | None, stop: int | None
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """index (M,) and distance (M, A) along each direction, of the latents below `stop`."""
    columns = needed_columns(stage.latents.schema, stage.space)
    index, along = [np.empty(0, np.int64)], [np.empty((0, len(directions)))]
    below = {} if stop is None else {"stop": stop}
    for batch in stage.latents.batches(columns, rows=CODES_AT_ONCE, **below):
        rows = pa.Table.from_batches([batch])
        codes = codes_of(rows, stage.space, generator)
        index.append(schemas.to_numpy(rows["index"]))
        along.append(
            np.stack([direction.distance(codes).numpy() for direction in directions], axis=1)
            if directions
            else np.empty((len(codes), 0))
        )
    return np.concatenate(index), np.concatenate(along)


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
