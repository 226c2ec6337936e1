"""C and the fraction of a fit, chosen together by how well the normals of two halves of the rows agree.

Accuracy hardly tells a good direction from a poor one: the classes are so far apart that many hyperplanes separate
them. A direction that another half of the rows would not give again is noise, so the cosine of the normals of two
disjoint halves, which needs no truth to compare with, decides.

Shapes: N rows, D numbers of a row as the SVM sees them.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.directions.classes import Part, by_rank, by_threshold, check_scores, shuffled
from pipeline.directions.hyperplane import Hyperplane, NoHyperplane, fit
from pipeline.directions.svm import RELEASED_C, RELEASED_FRACTION
from pipeline.errors import SpecError

CS = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
FRACTIONS = (0.02, 0.05, 0.1, 0.25, 0.5)
LEAST_ROWS = 300
"""Rows of each class, where there are as many."""
MARGIN = 0.05
"""Agreement that a job gives up for a larger C. Without it the smallest C on offer tends to win, whose normal is little
more than the difference of the means. `stylemill reproduce interfacegan` shows both choices side by side."""
TOLERANCE, PASSES = 1e-1, 100
"""Of the SVM. Agreements are compared to two digits: on 5,000 rows of w they are within 0.003 of the exact ones up to
C = 0.1, and 0.015 too high at C = 1, where they are 0.4 below the best."""
REPEATS = 2
LEAST_PARTED = 4
"""Rows on either side of a threshold: two in each half."""
HALVES = 2**32
"""First of the Philox streams that deal rows to halves; the 70/30 split has streams 0 and 1."""


@dataclass(frozen=True)
class Cell:
    """One choice: C, the fraction and its rows of each class (of the smaller one, where a threshold parts them); cosine
    of the normals of two halves, and the share of the other half's classes that each puts on the right side, both
    averaged over halves and repeats; NaN where no hyperplane was better than none, and then it is not chosen."""

    C: float
    fraction: float
    rows_per_class: int
    agreement: float
    validation: float


@dataclass(frozen=True)
class Choice:
    """The chosen C and fraction, and the whole grid that they were chosen from (empty as released)."""

    C: float
    fraction: float
    grid: tuple[Cell, ...]


def choose(
    rows_ND: NDArray[np.floating],
    scores: ArrayLike,
    Cs: Sequence[float] = CS,
    fractions: Sequence[float] = FRACTIONS,
    repeats: int = REPEATS,
    seed: int = 0,
    margin: float = 0.0,
    as_released: bool = False,
    threshold: float | None = None,
    balanced: bool = False,
) -> Choice:
    """The C and fraction of the highest split-half agreement.

    A fraction of fewer than 300 rows a class is raised to 300, or to half of the rows where there are fewer; fractions
    that become the same are tried once. The fractions of the grid are those after raising.

    Args:
        rows_ND: codes, as `svm.features` gives them.
        scores: (N,) or (N, 1).
        Cs, fractions: the grid.
        repeats: how often the rows are dealt to two halves.
        seed: of the dealing.
        margin: how much agreement to give up for a larger C, at the fraction of the best cell. As C falls the normal
            becomes the difference of the classes' means, which agrees with itself whatever it misses: with no margin
            the smallest C on offer is often taken.
        as_released: the public code's 0.02 and 1, nothing tried.
        threshold: parts all rows of a half, in place of the fractions; only C is chosen then.
        balanced: as `hyperplane.fit`.

    Raises:
        SpecError: codes and scores of different rows, an empty grid, or as `check_choosable`.
        NoHyperplane: there is no cell in which a hyperplane tells the classes apart.
    """
    scores_N = check_scores(scores)
    if len(rows_ND) != len(scores_N):
        raise SpecError(f"{len(rows_ND)} codes and {len(scores_N)} scores: give one score for each row")
    if as_released:
        return Choice(RELEASED_C, RELEASED_FRACTION, ())
    if not Cs or not fractions or repeats < 1:
        raise SpecError("there is nothing to choose from: give at least one C, one fraction and one repeat")
    sizes = _sizes(scores_N, fractions, threshold)
    ladder = sorted(set(Cs))
    agreement = np.zeros((repeats, len(sizes), len(ladder)))
    validation = np.zeros_like(agreement)
    for repeat in range(repeats):
        for column, halves in enumerate(_halves(scores_N, sizes, seed, repeat, threshold)):
            for row, C in enumerate(ladder):
                found = _compare(rows_ND, halves, C, balanced)
                agreement[repeat, column, row], validation[repeat, column, row] = found
    grid = tuple(
        Cell(
            C,
            size.fraction,
            size.rows_per_class,
            float(agreement[:, column, row].mean()),
            float(validation[:, column, row].mean()),
        )
        for column, size in enumerate(sizes)
        for row, C in enumerate(ladder)
    )
    fitted = ranked(grid)
    if not fitted:
        raise NoHyperplane(
            f"no hyperplane tells the two classes apart better than none does, at any C and fraction that was tried "
            f"on {len(scores_N)} rows"
        )
    best = fitted[0]
    near = [cell for cell in fitted if cell.fraction == best.fraction and cell.agreement >= best.agreement - margin]
    best = max(near, key=lambda cell: cell.C) if margin > 0 else best
    return Choice(best.C, best.fraction, grid)


def ranked(grid: Sequence[Cell]) -> list[Cell]:
    """Those that have a hyperplane, by falling agreement; of equal ones the first."""
    return sorted((cell for cell in grid if np.isfinite(cell.agreement)), key=lambda cell: -cell.agreement)


def check_choosable(
    scores: ArrayLike, fractions: Sequence[float] = FRACTIONS, seed: int = 0, threshold: float | None = None
) -> None:
    """See that two halves of the rows have the classes that `choose` would fit on, before anything is fitted.

    Raises:
        SpecError: as `by_rank` in one half; there are fewer than 8 rows, or fewer than 4 on one side of the threshold.
    """
    scores_N = check_scores(scores)
    sizes = _sizes(scores_N, fractions, threshold)
    for repeat in range(REPEATS):
        for _ in _halves(scores_N, sizes, seed, repeat, threshold):
            pass


@dataclass(frozen=True)
class _Size:
    """Rows of a class: of one half, of all rows, and its share of them."""

    in_half: int
    rows_per_class: int
    fraction: float


def _sizes(scores_N: NDArray[np.float64], fractions: Sequence[float], threshold: float | None) -> list[_Size]:
    half = len(scores_N) // 2
    if threshold is not None:
        above = int((scores_N >= threshold).sum())
        smaller = min(above, len(scores_N) - above)
        if smaller < LEAST_PARTED:
            raise SpecError(
                f"the threshold {threshold:g} leaves {above} rows above and {len(scores_N) - above} below, "
                f"{LEAST_PARTED} of each is the least to choose C from: give more rows, or C"
            )
        return [_Size(smaller // 2, smaller, smaller / len(scores_N))]
    if half < 4:
        raise SpecError(
            f"{len(scores_N)} rows are too few to choose from, 8 is the least: give more, or C and fraction"
        )
    counts = sorted({_rows_per_class(fraction, half) for fraction in fractions})
    return [_Size(count, 2 * count, count / half) for count in counts]


def _rows_per_class(fraction: float, half: int) -> int:
    """n of each class in one half of the rows: half of what a fit on all rows takes."""
    if not 0 < fraction <= 0.5:
        raise SpecError(f"the fraction is {fraction}: it is that of each class, in (0, 0.5]")
    return min(max(int(fraction * half), LEAST_ROWS // 2), half // 2)


def _halves(
    scores_N: NDArray[np.float64], sizes: Sequence[_Size], seed: int, repeat: int, threshold: float | None
) -> Iterator[tuple[Part, Part]]:
    """For each size the classes of two disjoint halves of the rows; a threshold's classes are halved each."""
    mixed = shuffled(len(scores_N), seed, HALVES + repeat)
    if threshold is not None:  # stable: above before below, each still mixed
        mixed = mixed[np.argsort(scores_N[mixed] < threshold, kind="stable")]
        halves = [np.sort(mixed[0::2]), np.sort(mixed[1::2])]
    else:
        half = len(scores_N) // 2
        halves = [np.sort(rows) for rows in (mixed[:half], mixed[half : 2 * half])]
    for size in sizes:
        first, second = (_classes(scores_N, rows, size, threshold) for rows in halves)
        yield first, second


def _classes(scores_N: NDArray[np.float64], rows: NDArray[np.int64], size: _Size, threshold: float | None) -> Part:
    """Both classes of some rows, nothing held back."""
    if threshold is not None:
        return Part(rows, by_threshold(scores_N[rows], threshold).all.positive)
    classes = by_rank(scores_N[rows], 0.5, count=size.in_half)
    within = np.concatenate([classes.train.rows, classes.validation.rows])
    positive = np.concatenate([classes.train.positive, classes.validation.positive])
    return Part(rows[within], positive)


def _compare(rows_ND: NDArray[np.floating], halves: tuple[Part, Part], C: float, balanced: bool) -> tuple[float, float]:
    """Agreement and validation of one C on two halves; NaN, where one of them has no hyperplane."""
    first, second = halves
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ConvergenceWarning: near enough to compare
        try:
            one, other = (
                fit(rows_ND[part.rows], part.positive, C, balanced, TOLERANCE, PASSES) for part in (first, second)
            )
        except NoHyperplane:
            return np.nan, np.nan
    right = (_right(one, rows_ND, second) + _right(other, rows_ND, first)) / 2
    return float(one.normal @ other.normal), right


def _right(plane: Hyperplane, rows_ND: NDArray[np.floating], part: Part) -> float:
    return float(((plane.distance(rows_ND[part.rows]) > 0) == part.positive).mean())
