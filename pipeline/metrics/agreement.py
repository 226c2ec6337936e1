"""Cohen's kappa: how well two families of classifiers agree.

Shapes: N rows.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from pipeline.errors import SpecError
from pipeline.metrics.dt import truths


def kappa(first_N: ArrayLike, second_N: ArrayLike) -> float:
    """Agreement of two classes of each row beyond chance: 1 is all, 0 what their shares alone give; at least -1.

    NaN where it is undefined: of no row, and where both put all rows into one and the same class.

    Raises:
        SpecError: these are not two bool arrays of one length.
    """
    from sklearn.metrics import cohen_kappa_score

    first, second = truths("first", first_N), truths("second", second_N)
    if first.shape != second.shape or first.ndim != 1:
        raise SpecError(f"classes have the shapes {first.shape} and {second.shape}: give one a row")
    return float(cohen_kappa_score(first, second)) if len(np.union1d(first, second)) > 1 else math.nan
