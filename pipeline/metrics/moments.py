"""Count, mean and sum of squared deviations, of pieces put together (Chan, Golub and LeVeque 1983).

Shapes: N rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Moments:
    """count; mean (0 of no row); m2 = sum (x - mean)^2."""

    count: float
    mean: float
    m2: float

    @classmethod
    def of(cls, values_N: NDArray[np.float64]) -> Moments:
        if not len(values_N):
            return cls(0.0, 0.0, 0.0)
        mean = float(values_N.mean())
        return cls(float(len(values_N)), mean, float(np.square(values_N - mean).sum()))

    @classmethod
    def merged(cls, pieces: Iterable[Moments]) -> Moments:
        whole = cls(0.0, 0.0, 0.0)
        for piece in pieces:
            count = whole.count + piece.count
            if count:
                delta = piece.mean - whole.mean
                mean = whole.mean + delta * (piece.count / count)
                m2 = whole.m2 + piece.m2 + delta * delta * (whole.count * piece.count / count)
                whole = cls(count, mean, m2)
        return whole

    def as_dict(self) -> dict[str, float]:
        return asdict(self)

    @property
    def sd(self) -> float:
        """Standard deviation of a sample (divided by count - 1, as in pandas); NaN of less than two rows."""
        return math.sqrt(self.m2 / (self.count - 1)) if self.count > 1 else math.nan
