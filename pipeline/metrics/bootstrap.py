"""Whether one way of editing is better than another: a paired bootstrap of the difference of their DT curves, or of the
mean of a number of each face.

Our own because a resample may have no common range, which scipy.stats.bootstrap can neither leave out nor count.

Shapes: N rows, K steps without step 0, P = K + 1 points, R resamples.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.errors import SpecError
from pipeline.metrics.dt import Outcomes, areas, points, truths

BETTER, WORSE, NOT_DECIDED = "better", "worse", "not decided"
TAIL = 0.025
FEWEST = 6
"""Faces, at least, of which a mean difference has an interval: where five all differ in one direction, this happens by
chance once in sixteen times."""
ROUNDING = 1e-12
"""Areas that differ by less are equal."""
BLOCK = 2**22
"""Weights that are in memory at once."""

Cell = TypeVar("Cell", bound=Hashable)


@dataclass(frozen=True)
class Difference:
    """The mean of q of one cell less that of another, over the range of p that both reach; or of a number of each face.

    observed: of the rows as they are; NaN where that range is 0, or there is no face.
    mean, low, high: over the resamples that are not left out: the mean, the 2.5 % and the 97.5 % quantile; NaN of none.
    resamples: how many were drawn. left_out: how many of them have a common range of 0, so that there is no difference;
        all, where there are too few faces for an interval.
    """

    observed: float
    mean: float
    low: float
    high: float
    resamples: int
    left_out: int

    @property
    def verdict(self) -> str:
        """better | worse | not decided: the interval holds 0, or more resamples were left out than a tail may hold."""
        if self.left_out > TAIL * self.resamples or self.low <= 0 <= self.high:
            return NOT_DECIDED
        return BETTER if self.low > 0 else WORSE


def paired_differences(
    cells: Mapping[Cell, Outcomes], against: Cell, resamples: int = 2000, seed: int = 0
) -> dict[Cell, Difference]:
    """How much better each cell is than one of them: normalised AUC up to the smaller p_max of the two.

    cells: outcomes (N, K) of the same N rows in the same order; K may differ. A resample draws N rows with replacement,
    the same ones for every cell, and the curves, their common range and the difference are those of the drawn rows.

    Raises:
        SpecError: no such cell to compare with, no row, no resample, or outcomes that are not bool of shape (N, K).
    """
    if against not in cells:
        raise SpecError(f"there is no cell {against} to compare with, only {', '.join(map(str, cells))}")
    if resamples < 1:
        raise SpecError(f"{resamples} resamples: draw at least one")
    rows = _checked(cells)
    curves = {cell: points(*_shares(outcomes, np.ones((1, rows)))) for cell, outcomes in cells.items()}
    observed = _less(curves, against)
    drawn: dict[Cell, list[NDArray[np.float64]]] = {cell: [] for cell in observed}
    noise, block = np.random.default_rng(seed), max(1, BLOCK // rows)
    for first in range(0, resamples, block):
        weights_RN = drawn_weights(noise, min(block, resamples - first), rows)
        curves = {cell: points(*_shares(outcomes, weights_RN)) for cell, outcomes in cells.items()}
        for cell, less_R in _less(curves, against).items():
            drawn[cell].append(less_R)
    return {cell: summed_up(float(observed[cell][0]), np.concatenate(drawn[cell])) for cell in drawn}


def mean_difference(
    first_N: ArrayLike, second_N: ArrayLike, resamples: int = 2000, seed: int = 0
) -> tuple[Difference, int]:
    """The mean of one number of each face less that of another, and of how many faces: those that have both (no NaN).

    A resample draws these faces with replacement. Of fewer than `FEWEST` faces there is no interval (NaN), and so
    nothing is decided; without a face everything is NaN.

    Raises:
        SpecError: the numbers are not of the same faces.
    """
    first, second = np.asarray(first_N, np.float64), np.asarray(second_N, np.float64)
    if first.shape != second.shape or first.ndim != 1:
        raise SpecError(f"numbers of faces have the shapes {first.shape} and {second.shape}: give one a face, twice")
    less_N = (first - second)[~np.isnan(first - second)]
    if len(less_N) < FEWEST:
        observed = float(less_N.mean()) if len(less_N) else math.nan
        return Difference(observed, math.nan, math.nan, math.nan, resamples, resamples), len(less_N)
    weights_RN = drawn_weights(np.random.default_rng(seed), resamples, len(less_N))
    return summed_up(float(less_N.mean()), weights_RN @ less_N / len(less_N)), len(less_N)


def mean_over_resamples(values_NT: ArrayLike, resamples: int = 2000, seed: int = 0) -> NDArray[np.float64]:
    """(R, T): the means of several numbers of each face, in resamples of the faces, drawn with replacement."""
    values = np.asarray(values_NT, np.float64)
    return drawn_weights(np.random.default_rng(seed), resamples, len(values)) @ values / len(values)


def _checked(cells: Mapping[Cell, Outcomes]) -> int:
    """N of outcomes that fit together."""
    lengths = set()
    for cell, outcomes in cells.items():
        shapes = [truths(f"{name} of {cell}", array).shape for name, array in outcomes._asdict().items()]
        if shapes[0] != shapes[1] or len(shapes[0]) != 2:
            raise SpecError(f"outcomes of {cell} have the shapes {shapes[0]} and {shapes[1]}: give one a row and step")
        lengths.add(shapes[0][0])
    if len(lengths) > 1 or 0 in lengths:
        raise SpecError(f"cells have {', '.join(map(str, sorted(lengths)))} rows: give the same ones, and at least one")
    return lengths.pop()


def drawn_weights(noise: np.random.Generator, resamples: int, rows: int) -> NDArray[np.float64]:
    """(R, N): how often each resample has drawn each row."""
    drawn_RN = noise.integers(rows, size=(resamples, rows))
    places = drawn_RN + rows * np.arange(resamples)[:, None]
    return np.bincount(places.ravel(), minlength=resamples * rows).reshape(resamples, rows).astype(np.float64)


def _shares(outcomes: Outcomes, weights_RN: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """p and q (R, K) of each resample: whole numbers divided by N, so that equal shares are equal bits."""
    rows = weights_RN.shape[1]
    transformed, kept = (np.asarray(array, np.float64) for array in outcomes)
    return weights_RN @ transformed / rows, weights_RN @ kept / rows


def _less(
    curves: Mapping[Cell, tuple[NDArray[np.float64], NDArray[np.float64]]], against: Cell
) -> dict[Cell, NDArray[np.float64]]:
    """(R,) what each other cell's mean of q is more; NaN where the common range is 0."""
    other_p, other_q = curves[against]
    found = {}
    for cell, (p, q) in curves.items():
        if cell != against:
            common = np.minimum(p[:, -1], other_p[:, -1])
            more = areas(p, q, common) - areas(other_p, other_q, common)
            more[np.abs(more) < ROUNDING] = 0.0
            found[cell] = np.divide(more, common, out=np.full_like(common, math.nan), where=common > 0)
    return found


def summed_up(observed: float, drawn_R: NDArray[np.float64]) -> Difference:
    """The difference that was observed, with what it is in the resamples; NaN of those that have none."""
    there = drawn_R[~np.isnan(drawn_R)]
    resamples, left_out = len(drawn_R), len(drawn_R) - len(there)
    if not len(there):
        return Difference(observed, math.nan, math.nan, math.nan, resamples, left_out)
    low, high = np.quantile(there, [TAIL, 1 - TAIL])
    return Difference(observed, float(there.mean()), float(low), float(high), resamples, left_out)
