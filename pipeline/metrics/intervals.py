"""Confidence intervals of a mean and of a rate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from statistics import NormalDist

Z95 = NormalDist().inv_cdf(0.975)


def of_mean(mean: float, sd: float, count: float, z: float = Z95) -> tuple[float, float]:
    """The normal interval mean -+ z sd / sqrt(count); NaN where sd is."""
    half = z * sd / math.sqrt(count) if count else math.nan
    return mean - half, mean + half


@lru_cache(maxsize=4096)  # a table has few different counts, and SciPy takes a millisecond for each
def of_rate(hits: float, count: float) -> tuple[float, float]:
    """Wilson's score interval of 95 % of hits / count, whole numbers; it stays inside [0, 1]. NaN of no row."""
    from scipy.stats import binomtest

    if not count:
        return math.nan, math.nan
    found = binomtest(round(hits), round(count)).proportion_ci(0.95, method="wilson")
    return float(found.low), float(found.high)


def of_share(mean: float, count: float, z: float = Z95) -> tuple[float, float]:
    """Wilson's score interval of the mean of `count` shares of one; the count, an effective one, need not be whole. NaN
    of none.
    """
    if not count > 0 or math.isnan(mean):
        return math.nan, math.nan
    middle = (mean + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(max(mean * (1 - mean), 0.0) / count + (z / (2 * count)) ** 2)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def of_difference(
    first: float, of_first: tuple[float, float], second: float, of_second: tuple[float, float], alike: float = 0.0
) -> tuple[float, float]:
    """The interval of a difference of two numbers from the interval of each (Newcombe, 1998, methods 8 and 10).

    alike: their correlation, 0 where they are independent.
    """

    def width(a: float, b: float) -> float:
        return math.sqrt(max(a * a - 2 * alike * a * b + b * b, 0.0))

    less, more = width(first - of_first[0], of_second[1] - second), width(of_first[1] - first, second - of_second[0])
    return first - second - less, first - second + more


def of_paired_rates(both: int, first: int, second: int, neither: int) -> tuple[float, float]:
    """The score interval of 95 % of the difference of two rates in the same rows (Newcombe, 1998, method 10).

    both, first, second, neither: in how many rows both are true, the first alone, the second alone, none. NaN of no
    row. Where the two never differ it does not shrink to 0: it is as wide as so few rows allow.
    """
    rows = both + first + second + neither
    if not rows:
        return math.nan, math.nan
    p, q = (both + first) / rows, (both + second) / rows
    (p_low, p_high), (q_low, q_high) = of_rate(both + first, rows), of_rate(both + second, rows)
    margins = (both + first) * (second + neither) * (both + second) * (first + neither)
    product = float(both * neither - first * second)
    if product > 0:
        product = max(product - rows / 2, 0.0)  # corrected for continuity
    alike = product / math.sqrt(margins) if margins else 0.0
    return of_difference(p, (p_low, p_high), q, (q_low, q_high), alike)


def of_jackknife(value: float, left_out: Sequence[float], z: float = Z95) -> tuple[float, float]:
    """The normal interval of a statistic by the delete-a-group jackknife (Quenouille, 1949; Tukey, 1958).

    value: of all rows. left_out: the same of all rows but those of one of G groups of equal size, for each group.
    Unlike resampling with replacement it repeats no row, and so does not change what noise a fit has.
    """
    groups = len(left_out)
    if groups < 2:
        return math.nan, math.nan
    mean = sum(left_out) / groups
    half = z * math.sqrt((groups - 1) / groups * sum((one - mean) ** 2 for one in left_out))
    return value - half, value + half
