"""The mean of the directions in which an attribute's score rises fastest, over many faces (IALS, Sec. 3.2).

The paper's own attribute-level direction: instance-specific directions (Eq. 4, target 1), each of norm 1, averaged, the
mean normalised. Sums are merged, so that shards of faces can be looked at anywhere and each is looked at once.

Shapes: N rows, L layers, W w_dim; `...` stands for the shape of the direction's vector.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.directions.direction import Direction, normalised
from pipeline.errors import SpecError
from pipeline.models.codes import Space

METHOD = "mean-gradient"


@dataclass(frozen=True, eq=False)
class GradientSum:
    """Mergeable: how many unit gradients, and their sum (...) in float64."""

    count: int
    total: NDArray[np.float64]

    @classmethod
    def of(cls, units: ArrayLike) -> GradientSum:
        """The sum of unit gradients (N, ...), N >= 0. A row of zeros, whose score is flat, does not count.

        Raises:
            SpecError: a number that is not finite.
        """
        units = np.asarray(units, dtype=np.float64)
        flat_ND = units.reshape(len(units), int(np.prod(units.shape[1:])))
        if not np.isfinite(flat_ND).all():
            row = int(np.flatnonzero(~np.isfinite(flat_ND).all(axis=1))[0])
            raise SpecError(f"the gradient of row {row} is not finite: leave it out")
        return cls(int(flat_ND.any(axis=1).sum()), units.sum(axis=0))

    def merge(self, other: GradientSum) -> GradientSum:
        """The sum of both. Raises SpecError where they are of different shapes."""
        if self.total.shape != other.total.shape:
            raise SpecError(f"gradients of the shapes {self.total.shape} and {other.total.shape} have no common sum")
        return GradientSum(self.count + other.count, self.total + other.total)


def unit_gradients(gradients: ArrayLike, shared: bool = False) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Gradients (N, ...) of norm 1 each, computed in float64, and the norms (N,) that they had.

    A gradient of zero stays zero; one that is not finite becomes NaN, and its norm too. `shared`: of w+, (N, L, W),
    for a vector that all layers share: the gradients of a row's layers add up, (N, W).
    """
    values = np.asarray(gradients, dtype=np.float64)
    if shared:
        values = values.sum(axis=1)
    flat_ND = values.reshape(len(values), int(np.prod(values.shape[1:])))
    norm_N = np.linalg.norm(flat_ND, axis=1)
    norm_N[~np.isfinite(norm_N)] = np.nan
    unit_ND = flat_ND / np.where(norm_N == 0, 1.0, norm_N)[:, None]
    return unit_ND.reshape(values.shape), norm_N


def mean_direction(attribute: str, space: Space, summed: GradientSum, **about: Any) -> Direction:
    """The mean, normalised; without a boundary: the intercept is 0 until `with_boundary` finds it.

    about: `generator` and `classifier`, kept in the direction; `rows` is how many gradients were averaged.

    Raises:
        SpecError: no gradient was summed, or they cancel.
    """
    if not summed.count:
        raise SpecError(f"{attribute}: no row gave a gradient, there is nothing to average")
    return normalised(attribute, METHOD, space, summed.total / summed.count, rows=summed.count, **about)


def with_boundary(direction: Direction, along: ArrayLike, scores: ArrayLike) -> Direction:
    """The direction with its intercept: its distance is 0 where the score crosses 0 along it.

    That is the zero of the line that fits score on distance best, by least squares over the rows. The line needs the
    vector, so codes are read a second time, once that is known; sums that would spare it are of squares of the codes,
    (W, W) of w and far more of w+ and s.

    Args:
        direction: as `mean_direction` gave it.
        along: (N,) `direction.distance` of the rows.
        scores: (N,) theirs.

    Raises:
        SpecError: numbers that are not finite, or not one for one; or the score does not rise along the direction.
    """
    along_N, scores_N = (np.asarray(values, dtype=np.float64) for values in (along, scores))
    if along_N.ndim != 1 or along_N.shape != scores_N.shape:
        raise SpecError(f"distances of the shape {along_N.shape} and scores of {scores_N.shape}: give as many of both")
    if not (np.isfinite(along_N).all() and np.isfinite(scores_N).all()):
        raise SpecError(f"{direction.attribute}: a distance or a score is not finite: leave such rows out")
    rise = slope_of(along_N, scores_N)
    if not rise > 0:
        raise SpecError(
            f"the score of {direction.attribute} does not rise along its mean gradient from one to another of "
            f"{len(along_N)} rows, so there is no boundary: take more rows, or rows that differ more"
        )
    crossing = float(along_N.mean() - scores_N.mean() / rise)
    return dataclasses.replace(direction, intercept=direction.intercept - crossing)


def of_each(attributes: Iterable[str], find: Callable[[str], Direction]) -> tuple[dict[str, Direction], list[str]]:
    """The direction that is found for each attribute, and of those that have none why, a sentence each."""
    found, lacking = {}, []
    for attribute in attributes:
        try:
            found[attribute] = find(attribute)
        except SpecError as error:
            lacking.append(str(error))
    return found, lacking


def slope_of(along_N: NDArray[np.float64], scores_N: NDArray[np.float64]) -> float:
    """Of the line of score on distance; 0 where the rows do not differ."""
    if len(along_N) == 0:
        return 0.0
    apart_N = along_N - along_N.mean()
    spread = float(apart_N @ apart_N)
    return float(apart_N @ (scores_N - scores_N.mean())) / spread if spread > 0 else 0.0


def accuracies(along: ArrayLike, positive: ArrayLike) -> dict[str, float]:
    """Share of rows on the side of the boundary that they belong to, under the name `all`.

    Args:
        along: (N,) distances to the boundary. positive: (N,) whether the attribute is there.

    Raises:
        SpecError: no row.
    """
    side_N, positive_N = np.asarray(along) > 0, np.asarray(positive, dtype=bool)
    if not len(positive_N):
        raise SpecError("there are no rows to measure an accuracy on")
    return {"all": float((side_N == positive_N).mean())}
