"""How far the strongest places of a feature map lie on a class of a segmentation (Style Intervention, Fig. 2).

Shapes: N rows, H and W the picture's pixels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
TOP = 0.05
"""The share of places that are set to 1: the paper's."""


def strongest(map_NHW: NDArray[np.floating], share: float = TOP) -> Mask:
    """(N, H, W) where each map is among its largest `share` of numbers; of equal ones at its edge, all."""
    edge_N11 = np.quantile(map_NHW, 1 - share, axis=(1, 2), keepdims=True)
    return np.asarray(map_NHW >= edge_N11) & (map_NHW > map_NHW.min(axis=(1, 2), keepdims=True))


def intersection_over_union(first_NHW: Mask, second_NHW: Mask) -> NDArray[np.float64]:
    """(N,) in [0, 1]; NaN where the second is empty: a face without the class."""
    both_N = (first_NHW & second_NHW).sum(axis=(1, 2))
    either_N = (first_NHW | second_NHW).sum(axis=(1, 2))
    there_N = second_NHW.any(axis=(1, 2))
    return np.divide(both_N, either_N, out=np.full(len(first_NHW), np.nan), where=there_N)
