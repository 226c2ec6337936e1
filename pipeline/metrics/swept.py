"""Edits at several strengths: how often they succeed, and what else becomes of the faces; two methods compared at one
strength each, or where they succeed as often.

Shapes: N faces, K strengths, P = K + 1 points, the source first; R resamples.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import SpecError
from pipeline.metrics import intervals
from pipeline.metrics.bootstrap import FEWEST, Difference, drawn_weights, summed_up

RESAMPLES = 2000
SMALLEST = 1e-9
"""A variance below this is none."""


@dataclass(frozen=True, eq=False)
class Swept:
    """What became of N faces at each strength, from small to large.

    reached: (N, P) whether the edit succeeded, or which share of what was asked for is there. value: (N, P) a number of
    the face, NaN where it has none. among: whether the mean of the value is over the edits that succeeded alone, each
    weighed by `reached`; where none did, there is no mean, but for the source. share: whether the value is a share of
    one, such as yes (1) or no (0): an interval is then never narrower than by score intervals, since a bootstrap of a
    few faces that all say yes has no width.
    """

    reached: NDArray[np.floating] | NDArray[np.bool_]
    value: NDArray[np.floating] | NDArray[np.bool_]
    among: bool = False
    share: bool = False

    def __post_init__(self) -> None:
        if self.reached.shape != self.value.shape or self.reached.ndim != 2 or self.reached.shape[1] < 2:
            raise SpecError(
                f"edits have the shapes {self.reached.shape} and {self.value.shape}: give a row a face, a column a "
                "strength, the source's first"
            )

    def rates(self) -> NDArray[np.float64]:
        """(P,): the share of edits that succeeded, or the mean share of what was asked for."""
        return self.curves(np.ones((1, len(self.reached))))[0][0]

    def means(self) -> NDArray[np.float64]:
        """(P,): the mean of the value; NaN where no face has one."""
        return self.curves(np.ones((1, len(self.reached))))[1][0]

    def counts(self) -> NDArray[np.int64]:
        """(P,): of how many edits the mean is."""
        return np.count_nonzero(self._weights() > 0, axis=0)

    def only(self, rows: NDArray[np.int64]) -> Swept:
        """Of some of the faces, in this order."""
        return Swept(self.reached[rows], self.value[rows], self.among, self.share)

    def gains(self) -> NDArray[np.int64]:
        """(P,): in how many faces more of what was asked for is there than in the source."""
        reached_NP = np.asarray(self.reached, np.float64)
        return np.count_nonzero(reached_NP > reached_NP[:, :1], axis=0)

    def moments(self) -> Moments:
        """Of the values at each strength."""
        weight_NP = self._weights()
        value_NP = np.nan_to_num(np.asarray(self.value, np.float64))
        count_P = weight_NP.sum(axis=0)
        mean_P, square_P = (
            np.divide(total_P, count_P, out=np.full_like(count_P, np.nan), where=count_P > 0)
            for total_P in ((weight_NP * value_NP).sum(axis=0), (weight_NP * value_NP**2).sum(axis=0))
        )
        return Moments(count_P, mean_P, square_P)

    def _weights(self) -> NDArray[np.float64]:
        """(N, P) of each value in the mean: 0 of one that is not there."""
        weights_NP = np.asarray(self.reached, np.float64).copy() if self.among else np.ones(self.reached.shape)
        weights_NP[:, 0] = 1.0
        weights_NP[np.isnan(np.asarray(self.value, np.float64))] = 0.0
        return weights_NP

    def curves(self, drawn_RN: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Rates and means (R, P) of resamples that draw each face so often (R, N)."""
        rate_RP = drawn_RN @ np.asarray(self.reached, np.float64) / drawn_RN.sum(axis=1, keepdims=True)
        weight_NP = self._weights()
        weight_RP = drawn_RN @ weight_NP
        total_RP = drawn_RN @ (weight_NP * np.nan_to_num(np.asarray(self.value, np.float64)))
        return rate_RP, np.divide(total_RP, weight_RP, out=np.full_like(total_RP, np.nan), where=weight_RP > 0)


@dataclass(frozen=True, eq=False)
class Moments:
    """(P,) or a number each: of how many values, their mean, and the mean of their squares."""

    count: NDArray[np.float64]
    mean: NDArray[np.float64]
    square: NDArray[np.float64]

    def at(self, step: int) -> Moments:
        """At one strength."""
        return Moments(self.count[step], self.mean[step], self.square[step])

    def at_rate(self, rate_P: NDArray[np.float64], wanted: float) -> Moments:
        """Where the rate is first the wanted one."""
        found = [
            mean_at_rate(rate_P[None], one_P[None], np.array([wanted]))[0]
            for one_P in (self.count, self.mean, self.square)
        ]
        return Moments(*found)

    def interval(self) -> tuple[float, float]:
        """A score interval of the mean of shares, of as many yes and no as vary so much: where each value is a share of
        several things, they are more than the values.
        """
        mean = float(self.mean)
        spread, most = float(self.square) - mean**2, mean * (1 - mean)
        more = max(most / spread, 1.0) if spread > SMALLEST else 1.0
        return intervals.of_share(mean, float(self.count) * more)


@dataclass(frozen=True)
class EqualRate:
    """Two methods where they succeed as often. rate: how often. first, second: the mean of each there, read off its
    curve; NaN where it never succeeds so often. difference: first less second. faces: how many.
    """

    rate: float
    first: float
    second: float
    difference: Difference
    faces: int


def difference_at(
    first: Swept, first_step: int, second: Swept, second_step: int, resamples: int = RESAMPLES, seed: int = 0
) -> Difference:
    """The mean of one method at one of its K steps, less that of another at one of its own, of the same N faces.

    A resample draws the faces with replacement, the same ones for both. Of fewer than `FEWEST` faces that count in
    either mean there is no interval (NaN). Where both values are shares the interval is the wider one, to each side, of
    the bootstrap's and of score intervals (Newcombe, 1998), with the correlation of the resamples.

    Raises:
        SpecError: the methods are not of the same faces.
    """
    _check(first, second)

    def read(drawn_RN: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return first.curves(drawn_RN)[1][:, first_step], second.curves(drawn_RN)[1][:, second_step]

    few = min(first.counts()[first_step], second.counts()[second_step]) < FEWEST
    both = (first.moments().at(first_step), second.moments().at(second_step))
    shares = both if first.share and second.share else None
    return _bootstrapped(read, len(first.reached), few, shares, resamples, seed)


def difference_at_equal_rate(
    first: Swept, first_step: int, second: Swept, second_step: int, resamples: int = RESAMPLES, seed: int = 0
) -> EqualRate:
    """The same where both succeed as often as the one of them does which at its step succeeds less often.

    Means are read off the curve of each method over its rate: straight lines between its points, which are to be near
    each other (`between_strengths.py`), where the rate is taken as its maximum so far. A resample has a rate and curves
    of its own. Where nothing succeeds, there is nothing to compare, and everything is NaN. Of fewer than `FEWEST` faces
    in which more is there than in the source, at either one's step, there is no interval. Shares: as `difference_at`.

    Raises:
        SpecError: as `difference_at`.
    """
    _check(first, second)

    def read(drawn_RN: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        one, other = first.curves(drawn_RN), second.curves(drawn_RN)
        rate_R = np.minimum(one[0][:, first_step], other[0][:, second_step])
        above = rate_R > np.maximum(one[0][:, 0], other[0][:, 0])
        rate_R = np.where(above, rate_R, np.nan)
        return rate_R, mean_at_rate(*one, rate_R), mean_at_rate(*other, rate_R)

    rate, one, other = (float(found_R[0]) for found_R in read(np.ones((1, len(first.reached)))))
    at_steps = ((first, first_step), (second, second_step))
    few = min(int(min(one.counts()[step], one.gains()[step])) for one, step in at_steps) < FEWEST
    shares = None
    if first.share and second.share:
        shares = (first.moments().at_rate(first.rates(), rate), second.moments().at_rate(second.rates(), rate))
    found = _bootstrapped(lambda drawn_RN: read(drawn_RN)[1:], len(first.reached), few, shares, resamples, seed)
    return EqualRate(rate, one, other, found, len(first.reached))


def mean_at_rate(
    rate_RP: NDArray[np.float64], mean_RP: NDArray[np.float64], wanted_R: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(R,): the mean of each of R curves where its rate is first the wanted one; NaN where it never is, or where a mean
    beside that place is NaN.
    """
    top_RP = np.maximum.accumulate(rate_RP, axis=1)
    reached_RP = top_RP >= wanted_R[:, None]
    reached_RP[np.isnan(wanted_R)] = False
    row = np.arange(len(rate_RP))
    after = reached_RP.argmax(axis=1)
    before = np.maximum(after - 1, 0)
    rise = top_RP[row, after] - top_RP[row, before]
    share = np.divide(wanted_R - top_RP[row, before], rise, out=np.ones_like(rise), where=rise > 0)
    start, end = mean_RP[row, before], mean_RP[row, after]
    none_yet = np.isnan(start) & (top_RP[row, before] == top_RP[:, 0])  # a mean over successes has no such point
    start = np.where(none_yet, mean_RP[:, 0], start)
    between = np.where(share == 1, end, start + share * (end - start))  # a NaN before it does not matter there
    return np.where(reached_RP.any(axis=1), between, np.nan)


def _check(first: Swept, second: Swept) -> None:
    if len(first.reached) != len(second.reached):
        raise SpecError(
            f"one method has {len(first.reached)} faces, the other {len(second.reached)}: give the same faces"
        )


def _bootstrapped(
    read: Callable[[NDArray[np.float64]], tuple[NDArray[np.float64], NDArray[np.float64]]], faces: int, few: bool,
    shares: tuple[Moments, Moments] | None, resamples: int, seed: int,
) -> Difference:  # fmt: skip
    """read: both means (R,) of resamples that draw each face so often (R, N). few: too few for an interval. shares: of
    both, where the values are shares.
    """
    one_R, other_R = read(np.ones((1, faces))) if faces else (np.full(1, np.nan), np.full(1, np.nan))
    observed = float(one_R[0] - other_R[0])
    if few:
        return Difference(observed, math.nan, math.nan, math.nan, resamples, resamples)
    one_R, other_R = read(drawn_weights(np.random.default_rng(seed), resamples, faces))
    found = summed_up(observed, one_R - other_R)
    if shares is None or math.isnan(found.low):
        return found
    first, second = shares
    low, high = intervals.of_difference(
        float(first.mean), first.interval(), float(second.mean), second.interval(), _correlation(one_R, other_R)
    )
    return replace(found, low=min(found.low, low), high=max(found.high, high))


def _correlation(one_R: NDArray[np.float64], other_R: NDArray[np.float64]) -> float:
    """Of two means in the resamples that have both; 0 where one does not vary."""
    there_R = ~np.isnan(one_R + other_R)
    one, other = one_R[there_R], other_R[there_R]
    if one.std() < SMALLEST or other.std() < SMALLEST:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])
