"""C of a fit, chosen by how well the normals of two halves of the rows agree.

Accuracy hardly tells a good direction from a poor one: the classes are so far apart that many hyperplanes separate
them. A direction that another half of the rows would not give again is noise; the cosine of the normals of two disjoint
halves says how much of it is. It does not see what both halves miss: as C falls the normal becomes the difference of
the means of the classes, which agrees with itself. So the best agreement alone takes C too small, and a margin of it is
given up for a larger C (python -m benchmarks.directions).

Shapes: N rows, D features of a row.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.directions.classes import Part, by_rank, by_threshold, check_scores, shuffled
from pipeline.directions.hyperplane import Hyperplane, NoHyperplane, fit, mean_square
from pipeline.errors import SpecError

CS_OF_UNIT_ROWS = (0.005, 0.015, 0.05, 0.15, 0.5, 1.5, 5.0)
"""For rows whose mean squared length is 1; on w of the built-in generator these are 0.0001 to 0.1."""
FRACTION = 0.2
"""Share of the rows in each class, where none is asked."""
LEAST_ROWS = 150
"""Rows of each class, where there are as many."""
MARGIN = 0.1
"""Agreement that a job gives up for a larger C. Without it the smallest C on offer tends to win, whose normal is little
more than the difference of the means."""
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


def try_all(
    rows_ND: NDArray[np.floating],
    scores: ArrayLike,
    Cs: Sequence[float],
    fractions: Sequence[float] = (FRACTION,),
    repeats: int = REPEATS,
    seed: int = 0,
    threshold: float | None = None,
    balanced: bool = False,
) -> tuple[Cell, ...]:
    """Every C at every fraction, on two halves of the rows.

    A fraction of fewer than LEAST_ROWS a class is raised to these, or to half of the rows where there are fewer;
    fractions that become the same are tried once. The fractions of the cells are those after raising.

    Args:
        rows_ND: codes, as `method.features` gives them.
        scores: (N,) or (N, 1).
        Cs, fractions: the grid.
        repeats: how often the rows are dealt to two halves.
        seed: of the dealing.
        threshold: parts all rows of a half, in place of the fractions.
        balanced: as `hyperplane.fit`.

    Raises:
        SpecError: codes and scores of different rows, an empty grid, or as `check_choosable`.
    """
    scores_N = check_scores(scores)
    if len(rows_ND) != len(scores_N):
        raise SpecError(f"{len(rows_ND)} codes and {len(scores_N)} scores: give one score for each row")
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
    return tuple(
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


def ladder(rows_ND: NDArray[np.floating]) -> tuple[float, ...]:
    """The Cs to choose from, which shrink normals of rows of any scale alike; to two digits."""
    square = mean_square(rows_ND)
    return tuple(float(f"{C / square:.2g}") for C in CS_OF_UNIT_ROWS) if square > 0 else CS_OF_UNIT_ROWS


def fraction_of(rows: int) -> float:
    """The share of so many rows in each class, where none is asked: a fifth, but LEAST_ROWS where there are as many."""
    return min(0.5, max(FRACTION, LEAST_ROWS / rows))


def best(cells: Sequence[Cell], margin: float = 0.0) -> Cell:
    """The cell of the highest agreement; with a margin, the largest C at its fraction that agrees nearly as well.

    Args:
        margin: how much agreement to give up for a larger C.

    Raises:
        NoHyperplane: there is no cell in which a hyperplane tells the classes apart.
    """
    fitted = ranked(cells)
    if not fitted:
        raise NoHyperplane("no hyperplane separates the two classes, at any C and fraction that was tried")
    most = fitted[0]
    near = [cell for cell in fitted if cell.fraction == most.fraction and cell.agreement >= most.agreement - margin]
    return max(near, key=lambda cell: cell.C) if margin > 0 else most


def ranked(grid: Sequence[Cell]) -> list[Cell]:
    """Those that have a hyperplane, by falling agreement; of equal ones the first."""
    return sorted((cell for cell in grid if np.isfinite(cell.agreement)), key=lambda cell: -cell.agreement)


def check_choosable(
    scores: ArrayLike, fractions: Sequence[float] = (FRACTION,), seed: int = 0, threshold: float | None = None
) -> None:
    """See that two halves of the rows have the classes that `try_all` would fit on, before anything is fitted.

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
