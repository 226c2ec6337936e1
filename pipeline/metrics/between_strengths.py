"""Edits between the strengths that were tried: numbers of each face on straight lines, two methods compared where they
succeed as often, and what reading them off so may be wrong by.

Shapes: N faces, K strengths, P = K + 1 points, the source first.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.metrics.bootstrap import NOT_DECIDED, Difference
from pipeline.metrics.swept import EqualRate, Swept, difference_at_equal_rate, mean_at_rate

PARTS = 10
"""Of a step between two strengths."""

Change = Callable[[NDArray[np.floating]], NDArray[np.float64]]
"""Makes numbers (..., Q) at other strengths of numbers (..., P) at those that were tried."""
Read = Callable[[Change], Swept]
"""Edits of one method, each face's scores and numbers changed so; what succeeds and what is kept is counted after."""


@dataclass(frozen=True)
class BetweenStrengths(EqualRate):
    """wrong_by: how far the means move where every other strength is left out, of both methods together; NaN where a
    method has one strength alone, or never succeeds so often without the others. An estimate, no bound: a share of
    nearly all faces hardly moves, whatever their numbers do.
    """

    wrong_by: float

    @property
    def verdict(self) -> str:
        """better | worse | not decided: of the difference, but decided only where its whole interval is beyond
        `wrong_by`.
        """
        return verdict_beyond(self.difference, self.wrong_by)


def verdict_beyond(more: Difference, wrong_by: float) -> str:
    """better | worse | not decided: decided only where the whole interval is beyond what it may be wrong by."""
    beyond = more.low > wrong_by or more.high < -wrong_by
    return more.verdict if beyond else NOT_DECIDED


def at_equal_rate(first: Read, first_point: int, second: Read, second_point: int) -> BetweenStrengths:
    """The means of two methods, as `difference_at_equal_rate`, on points in between.

    first_point, second_point: of the strengths that were tried, behind the source.

    Raises:
        SpecError: the methods are not of the same faces.
    """
    one, other = first(in_between), second(in_between)
    found = difference_at_equal_rate(one, first_point * PARTS, other, second_point * PARTS)
    wrong_by = _moves(first, one, found.rate) + _moves(second, other, found.rate)
    return BetweenStrengths(found.rate, found.first, found.second, found.difference, found.faces, wrong_by)


def in_between(values_P: NDArray[np.floating], parts: int = PARTS) -> NDArray[np.float64]:
    """(..., K parts + 1) of numbers (..., P) of each face: between two strengths on a straight line, `parts` a step.
    Point k is point k `parts` there.

    Whether an edit succeeds, or which share of faces keeps something, does not lie on one: make these of the numbers in
    between. A number that is NaN at a strength is so on both sides of it.
    """
    values = np.asarray(values_P, np.float64)
    found = []
    for step in range(values.shape[-1] - 1):
        start, rise = values[..., step], values[..., step + 1] - values[..., step]
        found += [start, *(start + part / parts * rise for part in range(1, parts))]
    return np.stack([*found, values[..., -1]], axis=-1)


def thinned(values_P: NDArray[np.floating]) -> NDArray[np.float64]:
    """Without every other strength; the source and the largest stay."""
    values = np.asarray(values_P, np.float64)
    kept = range(values.shape[-1] - 1, 0, -2)
    return values[..., [0, *reversed(kept)]]


def point_of(strengths_K: NDArray[np.floating], strength: float) -> int:
    """The point whose strength is nearest; 0 is the source."""
    return int(np.argmin(np.abs(strengths_K - strength))) + 1


def _moves(read: Read, dense: Swept, rate: float) -> float:
    """How far the mean at a rate is from that of a curve without every other strength; NaN where one cannot tell."""
    if math.isnan(rate) or dense.reached.shape[1] - 1 < 2 * PARTS:
        return math.nan
    without = read(lambda values_P: in_between(thinned(values_P)))
    before, after = (
        float(mean_at_rate(one.rates()[None], one.means()[None], np.array([rate]))[0]) for one in (dense, without)
    )
    return abs(after - before)
