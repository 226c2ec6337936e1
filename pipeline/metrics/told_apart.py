"""How well yes and no are told, and whether one way of telling is better than another on the same rows.

Shapes: N rows, R resamples.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pipeline.metrics.bootstrap import FEWEST, Difference, drawn_weights, summed_up

FIGURES = ("accuracy", "precision", "recall", "f1")


def figures(true_N: NDArray[np.bool_], told_N: NDArray[np.bool_], undefined: float = math.nan) -> dict[str, float]:
    """By FIGURES. undefined: what stands for precision where nothing is told, and for recall where nothing is true."""
    from sklearn.metrics import accuracy_score, precision_recall_fscore_support

    others = precision_recall_fscore_support(true_N, told_N, average="binary", zero_division=undefined)[:3]
    return {name: float(one) for name, one in zip(FIGURES, (accuracy_score(true_N, told_N), *others), strict=True)}


def f1_difference(
    true_N: NDArray[np.bool_], first_N: NDArray[np.bool_], second_N: NDArray[np.bool_], resamples: int = 2000,
    seed: int = 0,
) -> Difference:  # fmt: skip
    """F1 of the first way less that of the second, by a paired bootstrap of the rows; of fewer than `FEWEST` rows on
    either side there is no interval.
    """

    def less(drawn_RN: NDArray[np.float64]) -> NDArray[np.float64]:
        return _f1(*_counts(drawn_RN, true_N, first_N)) - _f1(*_counts(drawn_RN, true_N, second_N))

    rows = len(true_N)
    observed = float(less(np.ones((1, rows)))[0]) if rows else math.nan
    if min(np.count_nonzero(true_N), np.count_nonzero(~true_N)) < FEWEST:
        return Difference(observed, math.nan, math.nan, math.nan, resamples, resamples)
    return summed_up(observed, less(drawn_weights(np.random.default_rng(seed), resamples, rows)))


def _counts(
    drawn_RN: NDArray[np.float64], true_N: NDArray[np.bool_], told_N: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """(R,): in how many of the drawn rows yes is told and true, is told, is true."""
    return tuple(drawn_RN @ one.astype(np.float64) for one in (true_N & told_N, told_N, true_N))  # type: ignore[return-value]


def _f1(both_R: NDArray[np.float64], told_R: NDArray[np.float64], true_R: NDArray[np.float64]) -> NDArray[np.float64]:
    total_R = told_R + true_R
    return np.divide(2 * both_R, total_R, out=np.full_like(total_R, np.nan), where=total_R > 0)
