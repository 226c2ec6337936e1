"""How alike directions are behind the noise of their fits: cosines corrected for attenuation.

A normal fitted on few faces is the true one and noise, and noise lowers its cosine with any other: the worse the fit,
the less entangled the directions seem. Two halves of the faces have noise of their own. The cosine of attribute a's
normal on one half with b's on the other falls short of the true one by the same factor as the cosines of a with a and
of b with b, across the halves, fall short of 1: dividing by it takes the noise out (Spearman's correction, 1904).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from pipeline.directions.classes import by_rank
from pipeline.directions.compare import Correlations
from pipeline.directions.direction import Direction
from pipeline.directions.svm import fit_direction
from pipeline.errors import SpecError
from pipeline.metrics.entanglement import mean_absolute_cosine
from pipeline.models.codes import Codes


class Noise(SpecError):
    """Two halves of the rows do not agree on a direction at all."""


def disattenuated(first: Sequence[Direction], second: Sequence[Direction]) -> Correlations:
    """Cosines of each pair of attributes, corrected; an estimate, which may lie a little beyond 1.

        (<a1, b2> + <a2, b1>) / 2 / sqrt(<a1, a2> <b1, b2>)

    first, second: the same attributes in one order, fitted on two halves of the rows that share none.

    Raises:
        SpecError: the halves are of different attributes, spaces or shapes.
        Noise: the two normals of an attribute do not agree at all, and no correction makes something of noise.
    """
    names = [direction.name for direction in first]
    if not names or names != [direction.name for direction in second]:
        raise SpecError("both halves must have the same directions in the same order")
    if len({(direction.space, direction.vector.shape) for direction in [*first, *second]}) > 1:
        raise SpecError("the directions of both halves must have one space and shape")
    a_KD, b_KD = (np.stack([one.vector.astype(np.float64).ravel() for one in half]) for half in (first, second))
    across_KK = a_KD @ b_KD.T
    agreement_K = np.diag(across_KK)
    if noise := [name for name, agreement in zip(names, agreement_K, strict=True) if agreement <= 0]:
        raise Noise(f"two halves of the rows do not agree on {', '.join(noise)} at all: fit on more rows")
    values = (across_KK + across_KK.T) / 2 / np.sqrt(np.outer(agreement_K, agreement_K))
    return Correlations(tuple(names), values)


def jackknifed_entanglement(
    codes: Codes, scores: Mapping[str, NDArray[np.float64]], directions: Mapping[str, Direction], groups: int
) -> list[float]:
    """Entanglement behind the noise of the fits: of all rows, then without each of the groups in turn.

    Each direction is fitted anew on two halves of the rows, with the C and the fraction that it was fitted with.

    codes, scores: of the same N rows; scores (N,) by attribute, directions by attribute too.

    Raises:
        Noise: the halves do not agree on some direction at all.
    """
    number = np.arange(len(codes))
    group, half = number % groups, number // groups % 2
    found = []
    for left_out in (None, *range(groups)):
        halves = [
            _refitted(codes, scores, directions, np.flatnonzero((half == side) & (group != left_out)))
            for side in (0, 1)
        ]
        found.append(mean_absolute_cosine(disattenuated(*halves).values))
    return found


def _refitted(
    codes: Codes,
    scores: Mapping[str, NDArray[np.float64]],
    directions: Mapping[str, Direction],
    rows: NDArray[np.int64],
) -> list[Direction]:
    some, fitted = Codes(codes.space, codes.values[rows]), []
    for name, direction in directions.items():
        its = scores[name][rows]
        classes = by_rank(its, direction.fraction or 0.5)
        with threadpool_limits(1):  # BLAS threads wait for each other longer than they work
            fitted.append(fit_direction(some, its, name, classes, direction.C or 1.0))
    return fitted
