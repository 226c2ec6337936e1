"""The Disentanglement-Transformation metric (IALS, Sec. 3.2): how many faces got one attribute, how many kept another.

Shapes: N rows, K steps without step 0, P = K + 1 points, R curves at once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.errors import SpecError
from pipeline.metrics import intervals
from pipeline.metrics.metric import Numbers, finite


class Outcomes(NamedTuple):
    """What became of N rows: after one step (N,), or after each of K steps (N, K); bool.

    transformed: the primal attribute is on the target's side of the boundary.
    kept: the condition's class is that of step 0.

    A face has an attribute where its score is above 0, as everywhere.
    """

    transformed: NDArray[np.bool_]
    kept: NDArray[np.bool_]

    @classmethod
    def of_scores(cls, primal_NP: ArrayLike, condition_NP: ArrayLike, target: ArrayLike) -> Outcomes:
        """Outcomes (N, K) from scores whose first column is step 0. target: 1 or 0, for all or (N,).

        Raises:
            SpecError: a score is not finite, shapes differ, a target is not 0 or 1, or a row starts on the target's
                side: `in_source_class` tells those that do not.
        """
        primal, condition = finite("primal", primal_NP), finite("condition", condition_NP)
        if primal.shape != condition.shape or primal.ndim != 2 or not primal.shape[1]:
            raise SpecError(f"scores are of shape {primal.shape} and {condition.shape}: give a row each, from step 0")
        start = in_source_class(primal[:, 0], target)
        if not start.all():
            raise SpecError(f"row {int(np.flatnonzero(~start)[0])} starts on the target's side: leave it out")
        there_NP, has_NP = primal > 0, condition > 0
        return cls(there_NP[:, 1:] != there_NP[:, :1], has_NP[:, 1:] == has_NP[:, :1])

    def step(self, number: int) -> Outcomes:
        """Those after one of the K steps, 1 to K."""
        if not 1 <= number <= self.transformed.shape[1]:
            raise SpecError(f"step {number} is not one of the {self.transformed.shape[1]} after step 0")
        return Outcomes(self.transformed[:, number - 1], self.kept[:, number - 1])


class DT:
    """How many rows one step transformed, and in how many it kept the condition: a point (p, q) of a curve."""

    name = "dt"
    numbers = ("count", "transformed", "kept")

    def measure(self, batch: Outcomes) -> Numbers:
        """How many rows there are, and of how many each is true; of one step.

        Raises:
            SpecError: these are not two bool arrays of one length.
        """
        transformed, kept = truths("transformed", batch.transformed), truths("kept", batch.kept)
        if transformed.shape != kept.shape or transformed.ndim != 1:
            raise SpecError(f"transformed and kept are of shape {transformed.shape} and {kept.shape}: give one a row")
        return {
            "count": float(len(kept)),
            "transformed": float(np.count_nonzero(transformed)),
            "kept": float(np.count_nonzero(kept)),
        }

    def merge(self, partials: Iterable[Numbers]) -> Numbers:
        partials = list(partials)
        return {name: math.fsum(p[name] for p in partials) for name in self.numbers}

    def finish(self, partial: Numbers) -> Numbers:
        """count; p, the share transformed, and q, the share kept, with their intervals (Wilson)."""
        count = partial["count"]
        found = {"count": count}
        for name, hits in (("p", partial["transformed"]), ("q", partial["kept"])):
            low, high = intervals.of_rate(hits, count)
            found |= {name: hits / count if count else math.nan, f"{name}_low": low, f"{name}_high": high}
        return found


@dataclass(frozen=True, eq=False)
class Curve:
    """q as a function of p, made of the points (0, 1) and (p_n, q_n): straight lines between them.

    p: rises strictly from 0. q: as many. p_n is taken as its maximum up to step n, and points of equal p are one, whose
    q is their mean; both also at p = 0. The released code does neither: it takes the steps as they come, and counts the
    area of a falling p as negative. Where p rises with each step, the two are one.
    """

    p: NDArray[np.float64]
    q: NDArray[np.float64]

    @classmethod
    def of(cls, p_K: ArrayLike, q_K: ArrayLike) -> Curve:
        """The curve of K steps, in their order, without step 0.

        Raises:
            SpecError: a value is not finite or not in [0, 1], or the lengths differ.
        """
        p, q = finite("p", p_K), finite("q", q_K)
        if p.shape != q.shape or p.ndim != 1:
            raise SpecError(f"p and q have the shapes {p.shape} and {q.shape}: give one of each for a step")
        for name, values in (("p", p), ("q", q)):
            if (bad := (values < 0) | (values > 1)).any():
                step = int(np.flatnonzero(bad)[0])
                raise SpecError(f"{name} of step {step + 1} is {values[step]}: a share is in [0, 1]")
        p_RP, q_RP = points(p[None], q[None])
        first = np.diff(p_RP[0], prepend=-1.0) > 0
        return cls(p_RP[0, first], q_RP[0, first])

    @property
    def p_max(self) -> float:
        return float(self.p[-1])


def auc(curve: Curve, up_to: float | None = None) -> float:
    """The area under a curve, by the trapezoid rule, over p from 0 to p_max as in the released code, or to another p.

    Eq. 7 integrates to 1, which a curve need not reach. The area grows with p_max: see `normalised_auc`.

    Raises:
        SpecError: `up_to` is not in [0, p_max].
    """
    end = curve.p_max if up_to is None else up_to
    if not 0 <= end <= curve.p_max:
        raise SpecError(f"the area up to p = {end} was asked for, of a curve that reaches {curve.p_max}")
    return float(areas(curve.p[None], curve.q[None], np.array([end]))[0])


def normalised_auc(curve: Curve, up_to: float | None = None) -> float:
    """The mean of q over p from 0 to p_max, or to another p: the area divided by that length; NaN where it is 0.

    Raises:
        SpecError: as `auc`.
    """
    area, end = auc(curve, up_to), curve.p_max if up_to is None else up_to
    return area / end if end else math.nan


def common_range(curves: Iterable[Curve]) -> float:
    """The p that all of the curves reach; up to it their areas can be compared. Raises SpecError of no curve."""
    reached = [curve.p_max for curve in curves]
    if not reached:
        raise SpecError("there is no curve to compare")
    return min(reached)


def in_source_class(primal_N: ArrayLike, target: ArrayLike) -> NDArray[np.bool_]:
    """(N,) which rows have a score on the other side than the target, 1 or 0, for all or (N,): those to be measured.

    Raises:
        SpecError: a score is not finite, or a target is not 0 or 1 or not one a row.
    """
    primal, wanted = finite("primal", primal_N), np.asarray(target)
    if not np.isin(wanted, (0, 1)).all() or wanted.shape not in ((), primal.shape):
        raise SpecError(f"targets are 0 or 1, one for all or one a row, not {wanted.tolist()}")
    return (primal > 0) != (wanted == 1)


def points(p_RK: NDArray[np.float64], q_RK: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The points (R, P) of R curves, as `Curve` says; points that are one are there as often as they were."""
    rows = len(p_RK)
    p_RP = np.maximum.accumulate(np.concatenate([np.zeros((rows, 1)), p_RK], axis=1), axis=1)
    q_RP = np.concatenate([np.ones((rows, 1)), q_RK], axis=1)
    group = np.cumsum(np.diff(p_RP, axis=1, prepend=-1.0) > 0) - 1  # one number for each p of each curve
    means = np.bincount(group, q_RP.ravel()) / np.bincount(group)
    return p_RP, means[group].reshape(q_RP.shape)


def areas(p_RP: NDArray[np.float64], q_RP: NDArray[np.float64], up_to_R: NDArray[np.float64]) -> NDArray[np.float64]:
    """(R,) the area under each of R curves up to its own p, which it reaches; the last piece is cut on its line."""
    width, rise = np.diff(p_RP, axis=1), np.diff(q_RP, axis=1)
    part = np.clip(up_to_R[:, None] - p_RP[:, :-1], 0.0, width)
    share = np.divide(part, width, out=np.zeros_like(width), where=width > 0)
    return (part * (q_RP[:, :-1] + rise * share / 2)).sum(axis=1)


def truths(name: str, values: ArrayLike) -> NDArray[np.bool_]:
    """The values as an array. Raises SpecError where they are not bool."""
    array = np.asarray(values)
    if array.dtype != np.bool_:
        raise SpecError(f"{name} is {array.dtype}: give bool")
    return array
