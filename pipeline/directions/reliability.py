"""How alike directions are behind the noise of their fits: cosines corrected for attenuation.

A normal fitted on few faces is the true one and noise, and noise lowers its cosine with any other: the worse the fit,
the less entangled the directions seem. Two halves of the faces have noise of their own. The cosine of attribute a's
normal on one half with b's on the other falls short of the true one by the same factor as the cosines of a with a and
of b with b, across the halves, fall short of 1: dividing by it takes the noise out (Spearman's correction, 1904).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.directions.compare import Correlations
from pipeline.directions.direction import Direction
from pipeline.errors import SpecError


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
        raise SpecError("both halves are to have the same directions, in one order")
    if len({(direction.space, direction.vector.shape) for direction in [*first, *second]}) > 1:
        raise SpecError("the directions of both halves are to be of one space and shape")
    a_KD, b_KD = (np.stack([one.vector.astype(np.float64).ravel() for one in half]) for half in (first, second))
    across_KK = a_KD @ b_KD.T
    agreement_K = np.diag(across_KK)
    if noise := [name for name, agreement in zip(names, agreement_K, strict=True) if agreement <= 0]:
        raise Noise(f"two halves of the rows do not agree on {', '.join(noise)} at all: fit on more rows")
    values = (across_KK + across_KK.T) / 2 / np.sqrt(np.outer(agreement_K, agreement_K))
    return Correlations(tuple(names), values)
