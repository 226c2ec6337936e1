"""Confidence intervals of a mean and of a rate."""

from __future__ import annotations

import math
from statistics import NormalDist

Z95 = NormalDist().inv_cdf(0.975)


def of_mean(mean: float, sd: float, count: float, z: float = Z95) -> tuple[float, float]:
    """The normal interval mean -+ z sd / sqrt(count); NaN where sd is."""
    half = z * sd / math.sqrt(count) if count else math.nan
    return mean - half, mean + half


def of_rate(hits: float, count: float, z: float = Z95) -> tuple[float, float]:
    """Wilson's score interval of hits / count, which stays inside [0, 1]; NaN of no row."""
    if not count:
        return math.nan, math.nan
    rate, weight = hits / count, z * z / count
    middle = (rate + weight / 2) / (1 + weight)
    half = z / (1 + weight) * math.sqrt(rate * (1 - rate) / count + weight / (4 * count))
    return max(0.0, middle - half), min(1.0, middle + half)
