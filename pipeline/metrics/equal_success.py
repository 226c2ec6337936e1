"""Edits compared at equal success: a number of each face where its score reaches a given one on the way of the edit.

Shapes: N faces, K steps in the order of their strengths, the source first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.errors import SpecError


def at_score(scores_NK: ArrayLike, numbers_NK: ArrayLike, wanted_N: ArrayLike) -> NDArray[np.float64]:
    """(N,) the number of each face at the first point at which its score reaches the wanted one.

    Between neighbouring steps scores and numbers are taken as linear. A face whose source reaches it has the number of
    the source. NaN: a face that never reaches it, one without a wanted score, one without the number at that point.

    Raises:
        SpecError: the shapes do not go together, or there is no step.
    """
    scores, numbers, wanted = (np.asarray(one, np.float64) for one in (scores_NK, numbers_NK, wanted_N))
    if scores.ndim != 2 or scores.shape != numbers.shape or wanted.shape != scores.shape[:1] or not scores.shape[1]:
        raise SpecError(
            f"scores, numbers and wanted scores have the shapes {scores.shape}, {numbers.shape} and {wanted.shape}: "
            "give (faces, steps) twice, and (faces,)"
        )
    reached_NK = scores >= wanted[:, None]
    rows = np.arange(len(scores))
    after = reached_NK.argmax(axis=1)
    before = np.maximum(after - 1, 0)
    rise = scores[rows, after] - scores[rows, before]
    share = np.divide(wanted - scores[rows, before], rise, out=np.zeros_like(wanted), where=after > 0)
    found = (1 - share) * numbers[rows, before] + share * numbers[rows, after]
    found = np.where(after > 0, found, numbers[:, 0])  # the source: 0 times a missing number would be missing
    return np.where(reached_NK.any(axis=1), found, np.nan)
