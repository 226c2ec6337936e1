"""Several methods of editing, each beside one of them, over all rates of success that both reach: the mean of a number
of each face as a function of the share of faces that changed, averaged over that share.

One strength of each method would compare how far they were moved. Where all succeed as often, one rate would decide.

Shapes: N faces of all methods together, n of one, P points with the source first, R resamples.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import SpecError
from pipeline.metrics.between_strengths import PARTS, Read, in_between, thinned, verdict_beyond
from pipeline.metrics.bootstrap import FEWEST, Difference, drawn_weights, summed_up
from pipeline.metrics.dt import areas
from pipeline.metrics.swept import RESAMPLES, Swept

LEAST = 0.1
"""The rate from which on methods are compared: below it a curve is that of a few faces."""


@dataclass(frozen=True, eq=False)
class Method:
    """read: its edits at the strengths that were tried, as `between_strengths.Read`; strengths between these are read
    off straight lines of each face. faces: (n,) whose edits these are, each once, by numbers that all methods share.
    """

    read: Read
    faces: NDArray[np.int64]

    def swept(self, thin: bool = False) -> Swept:
        """On points in between; thin: without every other strength."""
        found = self.read((lambda values: in_between(thinned(values))) if thin else in_between)
        if len(found.reached) != len(self.faces):
            raise SpecError(f"a method has edits of {len(found.reached)} faces, and {len(self.faces)} were named")
        return found

    @property
    def strengths(self) -> int:
        """How many were tried."""
        return (self.swept().reached.shape[1] - 1) // PARTS


@dataclass(frozen=True, eq=False)
class OverRates:
    """A method beside another, over the rates from `LEAST` to the largest that both reach.

    up_to: that rate. own, other: the mean of each over these rates. drawn: (R,) own less other in the resamples, NaN in
    those in which a method does not reach `LEAST`. faces: how many both have. wrong_by: how far own and other move,
    together, where every other strength is left out; 0 of a reach. Everything is NaN where one does not reach `LEAST`.
    """

    up_to: float
    own: float
    other: float
    drawn: NDArray[np.float64]
    faces: int
    wrong_by: float

    @property
    def difference(self) -> Difference:
        """Own less other; without an interval of fewer than `FEWEST` faces."""
        if self.faces < FEWEST:
            resamples = len(self.drawn)
            return Difference(self.own - self.other, math.nan, math.nan, math.nan, resamples, resamples)
        return summed_up(self.own - self.other, self.drawn)

    @property
    def verdict(self) -> str:
        """better | worse | not decided, of a number of which more is better: decided only where the whole interval is
        beyond `wrong_by`; a NaN, of a single strength, decides nothing.
        """
        return verdict_beyond(self.difference, self.wrong_by)


def mean_over_rates(
    rate_RP: NDArray[np.float64], mean_RP: NDArray[np.float64], high_R: NDArray[np.float64], low: float = LEAST
) -> NDArray[np.float64]:
    """(R,): the mean of each curve over the rates from `low` to its own `high`, by the trapezoid rule; the rate is
    its maximum so far. NaN where high is not above low, is never reached, or where a mean on the way is NaN.
    """
    top_RP = np.maximum.accumulate(rate_RP, axis=1)
    there = (high_R > low) & (high_R <= top_RP[:, -1])
    high_R = np.where(there, high_R, low)
    known_RP = np.nan_to_num(mean_RP)
    area_R = areas(top_RP, known_RP, high_R) - areas(top_RP, known_RP, np.full(len(high_R), low))
    needed_RP = (top_RP[:, 1:] > low) & (top_RP[:, :-1] < high_R[:, None]) & (np.diff(top_RP, axis=1) > 0)
    missing_RP = np.isnan(mean_RP[:, 1:]) | np.isnan(mean_RP[:, :-1])
    there &= ~(needed_RP & missing_RP).any(axis=1)
    return np.divide(area_R, high_R - low, out=np.full(len(high_R), np.nan), where=there)


def over_rates(
    methods: Mapping[str, Method], against: str, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, OverRates]:
    """The mean of a number of each method over the rates that it and one of them reach, less that one's, of the faces
    that both have; that one itself too, whose differences are 0.

    A resample draws faces with replacement, the same ones for all methods: each method has as many of its faces in each
    resample, since faces that the same methods have are drawn among themselves. Curves and common rates are those of
    the drawn faces.

    Raises:
        SpecError: there is no such method to compare with, or a method and its faces do not go together.
    """
    whole, thin = _opened(methods, against), {name: one.swept(thin=True) for name, one in methods.items()}
    weights_RN = _drawn({name: one.faces for name, one in methods.items()}, resamples, seed)

    def read(swept: Mapping[str, Swept], name: str, weights: NDArray[np.float64] | None) -> list[NDArray[np.float64]]:
        """Up to which rate, and both means (R,)."""
        curves = _curves_of_both(swept, methods, name, against, weights)
        high = np.minimum(*(rate.max(axis=1) for rate, _ in curves))
        return [high, *(mean_over_rates(rate, mean, high) for rate, mean in curves)]

    found = {}
    for name, one in methods.items():
        up_to, own, other = (float(value[0]) for value in read(whole, name, None))
        _, own_R, other_R = read(whole, name, weights_RN)
        few = min(one.strengths, methods[against].strengths) < 2
        rougher = [math.nan] * 2 if few else [float(value[0]) for value in read(thin, name, None)[1:]]
        wrong_by = 0.0 if name == against else abs(rougher[0] - own) + abs(rougher[1] - other)
        faces = len(np.intersect1d(one.faces, methods[against].faces))
        compared = not math.isnan(own - other)
        found[name] = OverRates(up_to if compared else math.nan, own, other, own_R - other_R, faces, wrong_by)
    return found


def reaches(
    methods: Mapping[str, Method], against: str, resamples: int = RESAMPLES, seed: int = 0
) -> dict[str, OverRates]:
    """The largest share of faces that a method changes at any strength, less that of one of them; as `over_rates`."""
    whole = _opened(methods, against)
    weights_RN = _drawn({name: one.faces for name, one in methods.items()}, resamples, seed)

    def read(name: str, weights: NDArray[np.float64] | None) -> list[NDArray[np.float64]]:
        return [rate.max(axis=1) for rate, _ in _curves_of_both(whole, methods, name, against, weights)]

    found = {}
    for name, one in methods.items():
        own, other = (float(value[0]) for value in read(name, None))
        own_R, other_R = read(name, weights_RN)
        faces = len(np.intersect1d(one.faces, methods[against].faces))
        found[name] = OverRates(min(own, other), own, other, own_R - other_R, faces, 0.0)
    return found


def averaged(several: Sequence[OverRates]) -> OverRates:
    """The means of several comparisons of a method, as of several attributes; those in which nothing could be compared
    are left out.
    """
    there = [one for one in several if not math.isnan(one.own - one.other)]
    if not there:
        return several[0]

    def mean(of: Callable[[OverRates], float]) -> float:
        return float(np.mean([of(one) for one in there]))

    drawn_R = np.mean([one.drawn for one in there], axis=0)
    return OverRates(
        mean(lambda one: one.up_to), mean(lambda one: one.own), mean(lambda one: one.other), drawn_R,
        min(one.faces for one in there), mean(lambda one: one.wrong_by),
    )  # fmt: skip


@dataclass(frozen=True)
class Rank:
    """1 is best. low, high: the 2.5 % and the 97.5 % quantile over the resamples. of: how many are ranked."""

    place: int
    low: int
    high: int
    of: int

    def __str__(self) -> str:
        return f"{self.place} ({self.low} to {self.high})" if self.low < self.high else str(self.place)


def ranks(found: Mapping[str, OverRates], larger: bool) -> dict[str, Rank]:
    """By the difference to the one that all are compared with; equal ones share the better rank. Those in which nothing
    could be compared, or of too few faces for an interval, have no rank. larger: whether a larger number is better.
    """
    ranked = {name: one for name, one in found.items() if not math.isnan(one.own - one.other) and one.faces >= FEWEST}
    if not ranked:
        return {}
    sign = 1.0 if larger else -1.0
    observed_M1 = np.array([[sign * (one.own - one.other)] for one in ranked.values()])
    drawn_MR = np.stack([sign * one.drawn for one in ranked.values()])
    place_M = _places(observed_M1)[:, 0]
    places_MR = _places(np.where(np.isnan(drawn_MR), -np.inf, drawn_MR))  # what reaches too little is last
    low_M = np.quantile(places_MR, 0.025, axis=1, method="lower")
    high_M = np.quantile(places_MR, 0.975, axis=1, method="higher")
    return {
        name: Rank(int(place), min(int(low), int(place)), max(int(high), int(place)), len(ranked))
        for name, place, low, high in zip(ranked, place_M, low_M, high_M, strict=True)
    }


def _places(values_MR: NDArray[np.float64]) -> NDArray[np.int64]:
    """1 + how many are larger, by more than rounding."""
    found: NDArray[np.int64] = 1 + (values_MR[None] > values_MR[:, None] + 1e-12).sum(axis=1)
    return found


def _opened(methods: Mapping[str, Method], against: str) -> dict[str, Swept]:
    if against not in methods:
        raise SpecError(f"there is no method {against} to compare with, only {', '.join(methods)}")
    return {name: one.swept() for name, one in methods.items()}


def _curves_of_both(
    swept: Mapping[str, Swept], methods: Mapping[str, Method], name: str, against: str,
    weights_RN: NDArray[np.float64] | None,
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:  # fmt: skip
    """Rates and means (R, P) of both methods on the faces that both have; without weights (1, P) of each face once."""
    both, own, other = np.intersect1d(methods[name].faces, methods[against].faces, return_indices=True)
    weights = np.ones((1, len(both))) if weights_RN is None else weights_RN[:, both]
    if not len(both):
        return [(np.zeros((len(weights), 2)), np.full((len(weights), 2), np.nan))] * 2
    return [swept[name].only(own).curves(weights), swept[against].only(other).curves(weights)]


def _drawn(faces: Mapping[str, NDArray[np.int64]], resamples: int, seed: int) -> NDArray[np.float64]:
    """(R, N): how often each resample has drawn each face, by its number; faces that the same methods have are drawn
    among themselves.
    """
    number = 1 + max((int(its.max()) for its in faces.values() if len(its)), default=0)
    has_NM = np.stack([np.isin(np.arange(number), its) for its in faces.values()], axis=1)
    weights_RN = np.zeros((resamples, number))
    noise = np.random.default_rng(seed)
    for pattern in np.unique(has_NM, axis=0)[::-1]:
        its = np.flatnonzero((has_NM == pattern).all(axis=1))
        if pattern.any():
            weights_RN[:, its] = drawn_weights(noise, resamples, len(its))
    return weights_RN
