"""How entangled directions are (InterFaceGAN, Table 2)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def mean_absolute_cosine(values_KK: NDArray[np.float64]) -> float:
    """Mean of |cosine| over the pairs of K directions, two or more."""
    return float(np.abs(values_KK[np.triu_indices(len(values_KK), 1)]).mean())
