"""Counts in fixed bins, and quantiles from them.

Shapes: N rows, B bins.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Bins:
    """B bins of equal width over [low, high]; values beyond either end are counted in the bin there."""

    low: float
    high: float
    bins: int

    @property
    def width(self) -> float:
        return (self.high - self.low) / self.bins

    @property
    def names(self) -> tuple[str, ...]:
        """`bin_000`, ...: names of the counts, as columns of a table."""
        return tuple(f"bin_{number:03d}" for number in range(self.bins))

    def counts(self, values_N: NDArray[np.float64]) -> NDArray[np.int64]:
        """(B,) how many values are in each bin; a bin holds its lower edge, the last one both."""
        places = np.floor((values_N - self.low) / self.width).astype(np.int64)
        return np.bincount(places.clip(0, self.bins - 1), minlength=self.bins)

    def quantile(self, counts_B: Sequence[float] | NDArray[np.float64], q: float) -> float:
        """The value below which a share q of all lies, 0 <= q <= 1; NaN of none.

        The values of a bin are taken to be spread evenly over it, so that it is off by at most one width.
        """
        reached_B = np.cumsum(np.asarray(counts_B, dtype=np.float64))
        total = float(reached_B[-1])
        if not total:
            return math.nan
        wanted = q * total
        place = min(int(np.searchsorted(reached_B, wanted, side="left")), self.bins - 1)
        while not counts_B[place]:  # q = 0, and nothing in the first bins
            place += 1
        before = float(reached_B[place] - counts_B[place])
        return self.low + self.width * (place + max(wanted - before, 0.0) / float(counts_B[place]))
