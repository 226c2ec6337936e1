"""Which rows are the two classes of a fit, and how the others are labelled (paper Sec. 3.1 and its public code).

By rank: the rows of the highest and of the lowest scores, n of each. By threshold: all rows. The boundary of raw scores
is where the threshold is given, or half-way between the lowest and the highest score; ridge regression alone, which has
no classes of its own, takes 0 where none is given.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.errors import SpecError

Rows = NDArray[np.int64]
SPLIT = 0.7
"""Share of each class to fit on; the rest is for validation."""


@dataclass(frozen=True, eq=False)
class Part:
    """Some rows, ascending, and whether each is of the positive class."""

    rows: Rows
    positive: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.rows)


@dataclass(frozen=True, eq=False)
class Classes:
    """The rows of a fit.

    train, validation: rows of the two classes. remaining: rows of neither. boundary: the score from which on a row that
    is in neither counts as positive. all: every row, labelled by the boundary. fraction: n of each class over the rows,
    None by threshold.
    """

    train: Part
    validation: Part
    remaining: Part
    all: Part
    boundary: float
    fraction: float | None


def check_scores(scores: ArrayLike) -> NDArray[np.float64]:
    """The scores as (N,) float64, from (N,) or (N, 1).

    Raises:
        SpecError: another shape, a score that is not finite (the row is named), or all scores the same.
    """
    scores_N = np.asarray(scores, dtype=np.float64)
    if scores_N.ndim == 2 and scores_N.shape[1] == 1:
        scores_N = scores_N[:, 0]
    if scores_N.ndim != 1 or len(scores_N) == 0:
        raise SpecError(f"scores have the shape (N,) or (N, 1), these have {scores_N.shape}")
    bad = np.flatnonzero(~np.isfinite(scores_N))
    if len(bad):
        raise SpecError(f"the score of row {bad[0]} is {scores_N[bad[0]]} ({len(bad)} such rows): leave these rows out")
    if scores_N.min() == scores_N.max():
        raise SpecError(f"all {len(scores_N)} scores are {scores_N[0]:g}: there is one class only, nothing to separate")
    return scores_N


def two_values(scores: ArrayLike) -> float | None:
    """The middle of the two values of yes and no; None where the finite scores take more values, or fewer."""
    scores_N = np.asarray(scores, dtype=np.float64)
    values = np.unique(scores_N[np.isfinite(scores_N)])
    return float(values.mean()) if len(values) == 2 else None


def by_rank(
    scores: ArrayLike, fraction: float, seed: int = 0, threshold: float | None = None, count: int | None = None
) -> Classes:
    """The highest and the lowest scores: n = int(fraction x rows) of each. Equal scores rank by row number.

    Args:
        scores: (N,) or (N, 1).
        fraction: in (0, 0.5].
        seed: of the 70/30 split.
        threshold: labels the rows that are in neither class; (max + min) / 2 of all scores where it is not given.
        count: n itself, instead of the fraction.

    Raises:
        SpecError: as `check_scores`; a fraction outside (0, 0.5]; fewer rows than asked; or a class all of whose scores
            the other class has too.
    """
    scores_N = check_scores(scores)
    if count is None:
        if not 0 < fraction <= 0.5:
            raise SpecError(f"the fraction is {fraction}: it is that of each class, in (0, 0.5]")
        count = min(int(fraction * len(scores_N) + 1e-9), len(scores_N) // 2)
    if count < 2:
        raise SpecError(f"{fraction:g} of {len(scores_N)} rows is {count} a class, 2 is the least: give more rows")
    if 2 * count > len(scores_N):
        raise SpecError(
            f"{count} rows a class were asked for, but {len(scores_N)} rows give {len(scores_N) // 2} a class at most"
        )
    order = np.argsort(scores_N, kind="stable").astype(np.int64)
    bottom, top = order[:count], order[-count:]
    shared = scores_N[bottom[-1]]
    if shared == scores_N[top[0]] and (scores_N[bottom[0]] == shared or scores_N[top[-1]] == shared):
        raise SpecError(
            f"all rows of one class have the score {shared:g}, and so have rows of the other: give a threshold instead"
        )
    boundary = float(scores_N.max() + scores_N.min()) / 2 if threshold is None else _finite(threshold)
    everything = _labelled(np.arange(len(scores_N), dtype=np.int64), scores_N, boundary)
    remaining = _labelled(np.sort(order[count:-count]), scores_N, boundary)
    train, validation = _split(top, bottom, seed)
    return Classes(train, validation, remaining, everything, boundary, count / len(scores_N))


def by_threshold(scores: ArrayLike, threshold: float, seed: int = 0) -> Classes:
    """All rows: those at the threshold or above it are positive. The remaining set is empty.

    Raises:
        SpecError: as `check_scores`, or fewer than two rows on one side.
    """
    scores_N = check_scores(scores)
    everything = _labelled(np.arange(len(scores_N), dtype=np.int64), scores_N, _finite(threshold))
    top, bottom = everything.rows[everything.positive], everything.rows[~everything.positive]
    if min(len(top), len(bottom)) < 2:
        raise SpecError(
            f"the threshold {threshold:g} leaves {len(top)} rows above and {len(bottom)} below, of scores from "
            f"{scores_N.min():g} to {scores_N.max():g}: 2 of each is the least"
        )
    train, validation = _split(top, bottom, seed)
    return Classes(train, validation, _labelled(everything.rows[:0], scores_N, threshold), everything, threshold, None)


def accuracies(side_N: NDArray[np.bool_], classes: Classes) -> dict[str, float]:
    """Share of rows on the right side, of train, validation, remaining and all, where there are any (paper Table 1).

    Train and validation are labelled by class, remaining and all by the boundary of the scores. The paper's "all" is
    the public code's remaining set.

    side_N: whether each of all rows is on the positive side of the hyperplane.
    """
    parts = {
        "train": classes.train, "validation": classes.validation, "remaining": classes.remaining, "all": classes.all,
    }  # fmt: skip
    return {name: float((side_N[part.rows] == part.positive).mean()) for name, part in parts.items() if len(part)}


def shuffled(count: int, seed: int, stream: int) -> Rows:
    """A permutation of 0..count-1 from raw Philox words, which NumPy promises to keep.

    Its shuffles it does not, nor does scikit-learn promise that `train_test_split` deals alike in each version.
    """
    counter = np.array([0, 0, 0, stream], dtype=np.uint64)
    words = np.random.Philox(key=np.array([seed, 0], dtype=np.uint64), counter=counter).random_raw(count)
    return np.argsort(words, kind="stable").astype(np.int64)


def _split(top: Rows, bottom: Rows, seed: int) -> tuple[Part, Part]:
    """70 % of each class to fit on, at least one row, and the rest."""
    fit, rest = [], []
    for stream, rows in enumerate((top, bottom)):
        mixed = np.sort(rows)[shuffled(len(rows), seed, stream)]
        share = max(1, int(SPLIT * len(rows)))
        fit.append(mixed[:share])
        rest.append(mixed[share:])
    return _join(*fit), _join(*rest)


def _join(top: Rows, bottom: Rows) -> Part:
    rows = np.concatenate([top, bottom])
    order = np.argsort(rows)
    return Part(rows[order], order < len(top))


def _labelled(rows: Rows, scores_N: NDArray[np.float64], boundary: float) -> Part:
    return Part(rows, scores_N[rows] >= boundary)


def _finite(threshold: float) -> float:
    if not np.isfinite(threshold):
        raise SpecError(f"the threshold is {threshold}: give a finite number")
    return float(threshold)
