"""How far an edit goes until its score is a given one, so that edits are compared at equal success.

Shapes: K steps in the order of their strengths, the source first.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from pipeline.errors import SpecError

MET = 0.0005
"""A score is met where it is off by less than this share of its rise from the source."""
LOOKS = 20
"""Edits that are looked at, at most, to meet a score."""


def first_reached(scores_K: ArrayLike, wanted: float) -> int | None:
    """The first step behind the source at which the score reaches the wanted one; None where no step does.

    Raises:
        SpecError: there is no source, or its score reaches the wanted one, so that no edit is needed.
    """
    scores = np.asarray(scores_K, np.float64)
    if scores.ndim != 1 or not len(scores):
        raise SpecError(f"scores have the shape {scores.shape}: give one a step, the source's first")
    if scores[0] >= wanted:
        raise SpecError(f"the score of the source, {scores[0]:g}, reaches {wanted:g}: there is nothing to compare")
    reached = np.flatnonzero(scores >= wanted)
    return int(reached[0]) if len(reached) else None


def strength_that_meets(
    wanted: float, strengths_K: ArrayLike, scores_K: ArrayLike, score_at: Callable[[float], float]
) -> float | None:
    """The strength at which the score is the wanted one, up to `MET` of its rise: between the first step that reaches
    it and the step before, by Brent's method. None where no step reaches it, or it is not met after `LOOKS` looks.

    Numbers of a picture, as its squared error, grow with the square of the strength or otherwise: none of them is
    interpolated, the edit is made and measured at this strength.

    score_at: the score of the edit of a strength; it is not asked for those of the steps.

    Raises:
        SpecError: as `first_reached`.
    """
    from scipy.optimize import brentq

    strengths, scores = np.asarray(strengths_K, np.float64), np.asarray(scores_K, np.float64)
    step = first_reached(scores, wanted)
    if step is None:
        return None
    near = MET * (wanted - scores[0])
    short = {float(strengths[k]): float(scores[k] - wanted) for k in (step - 1, step)}

    def off(strength: float) -> float:
        if strength not in short:
            short[strength] = score_at(strength) - wanted
        return 0.0 if abs(short[strength]) <= near else short[strength]

    ends = float(strengths[step - 1]), float(strengths[step])
    found = float(brentq(off, *ends, xtol=1e-9, maxiter=LOOKS, disp=False))
    return found if abs(short.get(found, np.inf)) <= near else None
