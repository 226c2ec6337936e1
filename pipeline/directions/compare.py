"""How alike directions are, and how alike the scores of the faces (paper Sec. 3.3, Tables 2 and 3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.directions.classes import check_scores
from pipeline.directions.direction import Direction
from pipeline.errors import SpecError


@dataclass(frozen=True, eq=False)
class Correlations:
    """values[i, j] in [-1, 1] between names[i] and names[j]; symmetric, 1 on the diagonal."""

    names: tuple[str, ...]
    values: NDArray[np.float64]


def cosines(directions: Sequence[Direction], names: Sequence[str] | None = None) -> Correlations:
    """Cosine of each pair of directions (Table 2).

    names: what the result calls them. Default: their own.

    Raises:
        SpecError: none, two of the same name, or directions of different spaces, shapes or generators.
    """
    if not directions:
        raise SpecError("there is no direction to compare")
    first = directions[0]
    for other in directions[1:]:
        if other.space != first.space or other.vector.shape != first.vector.shape:
            raise SpecError(
                f"{first.name} is in {first.space} of shape {first.vector.shape}, {other.name} in {other.space} of "
                f"shape {other.vector.shape}: compare directions of one space"
            )
    known = {direction.generator for direction in directions} - {None}
    if len(known) > 1:
        raise SpecError(f"the directions are of {len(known)} different generators: compare those of one")
    vectors = np.stack([direction.vector.astype(np.float64).ravel() for direction in directions])
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    named = [direction.name for direction in directions] if names is None else list(names)
    return _correlations(named, vectors @ vectors.T)


def correlations(scores: Mapping[str, ArrayLike]) -> Correlations:
    """Pearson's correlation of each pair of attributes' scores over the same rows (Table 3).

    Raises:
        SpecError: none, columns of different length, a score that is not finite, or a column that is constant.
    """
    if not scores:
        raise SpecError("there are no scores to compare")
    columns = []
    for name, column in scores.items():
        try:
            columns.append(check_scores(column))
        except SpecError as error:
            raise SpecError(f"{name}: {error}") from None
    lengths = {len(column) for column in columns}
    if len(lengths) > 1:
        raise SpecError(f"the scores have {', '.join(map(str, sorted(lengths)))} rows: give the same rows for each")
    centred = np.stack([column - column.mean() for column in columns])
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    return _correlations(list(scores), centred @ centred.T)


def _correlations(names: list[str], values: NDArray[np.float64]) -> Correlations:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SpecError(f"{', '.join(twice)} is there more than once: its rows could not be told apart")
    values = np.clip(values, -1.0, 1.0)
    np.fill_diagonal(values, 1.0)
    return Correlations(tuple(names), values)
