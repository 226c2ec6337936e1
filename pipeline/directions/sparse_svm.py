"""Sparse directions of style space: the linear SVM with an L1 penalty on standardised channels (`--penalty l1`).

Shapes: N rows, D numbers of a row as the SVM sees them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from pipeline.directions.choose import Cell
from pipeline.directions.classes import SPLIT, Classes, accuracies, by_rank, by_threshold, shuffled
from pipeline.directions.direction import Direction
from pipeline.directions.hyperplane import NoHyperplane
from pipeline.directions.method import Fit, FitConfig, FitInputs
from pipeline.directions.sparse_hyperplane import BYTES_OF_A_NUMBER, SparseHyperplane, fit_sparse, path
from pipeline.errors import SpecError

MOVE, NORMAL = "svm-l1", "svm-l1-normal"
"""`Direction.method` of the two forms: c * sd, where to move, and c / sd, which tells the classes apart."""
SPARSE_VERSION = 2
"""Raised by hand when the rows of sparse fits change: jobs store it, and a resume compares it."""
UNCONVERGED = "fits_not_converged"
HALVES = 2**33
"""The Philox stream that deals rows to two halves."""
CHUNK = 8192
"""Rows whose sides are computed at a time."""


class Config(FitConfig):
    """A linear SVM with an L1 penalty: most channels of its normal are 0."""

    NOTES: ClassVar[Mapping[str, str]] = {
        UNCONVERGED: "the SVM ended at its limit of passes, near the best hyperplane: a smaller --C comes to its end",
    }

    C: float | None = Field(None, gt=0, allow_inf_nan=False)
    fraction: float | None = Field(None, gt=0, le=0.5)

    @property
    def facts(self) -> Mapping[str, Any]:
        return {**super().facts, "penalty": "l1", "sparse_version": SPARSE_VERSION, "C": self.C or "chosen"}

    @property
    def keeps_tried(self) -> bool:
        return self.C is None

    @property
    def keeps_hyperplanes(self) -> bool:
        return True

    @property
    def of_ranks(self) -> str:
        return "" if self.fraction is None else "--fraction"

    def of_yes_or_no(self, threshold: float) -> Config:
        return self.model_copy(update={"threshold": threshold, "fraction": None})

    def bytes_needed(self, rows: int, width: int) -> int:
        return int(BYTES_OF_A_NUMBER * SPLIT * rows * width)

    def check(self, scores_N: NDArray[np.floating], seed: int) -> None:
        train = self.classes(scores_N, seed).train
        smaller = int(min(train.positive.sum(), (~train.positive).sum()))
        if self.C is None and smaller < 4:
            raise SpecError(f"{smaller} rows of the rarer class are too few to choose C from: give more rows, or --C")

    def classes(self, scores_N: NDArray[np.floating], seed: int, fraction: float | None = None) -> Classes:
        """All rows, parted by the threshold, which is 0 where none is given; with a fraction the highest and lowest."""
        if self.fraction is not None:
            return by_rank(scores_N, self.fraction, seed, self.threshold)
        return by_threshold(scores_N, self.threshold or 0.0, seed)

    def fit(self, given: FitInputs) -> Fit:
        """As `FitConfig.fit`. The direction is c * sd, where to move; `Fit.hyperplane` is c / sd. The accuracies of
        both are those of the hyperplane. Raises NoHyperplane if no C leaves a channel."""
        rows_ND, scores_N = given.features()
        classes = self.classes(scores_N, given.seed)
        tried = () if self.C else self._tried(rows_ND, classes, given.seed)
        train = classes.train
        plane = fit_sparse(rows_ND[train.rows], train.positive, self.C or _sparsest(tried).C)
        sides = [plane.side(rows_ND[start : start + CHUNK]) for start in range(0, len(rows_ND), CHUNK)]
        right = accuracies(np.concatenate(sides) > 0, classes)

        def direction(method: str, vector_D: NDArray[np.float64], intercept: float) -> Direction:
            settings = {"C": plane.C, "fraction": classes.fraction}
            return given.direction(method, vector_D, intercept, right, len(train), **settings)

        counters = {} if plane.converged else {UNCONVERGED: 1.0}
        moves = direction(MOVE, plane.move, _crossing(plane))
        return Fit(moves, tried, counters, hyperplane=direction(NORMAL, plane.normal, plane.intercept))

    @staticmethod
    def _tried(rows_ND: NDArray[np.floating], classes: Classes, seed: int) -> tuple[Cell, ...]:
        """Every C of the path, fitted on one half of the rows to fit on and tried on the other, and the reverse."""
        halves = _halves(classes, seed)
        parts = [(rows_ND[rows], positive) for rows, positive in halves]
        Cs = path(*parts[0])
        smaller = int(min(classes.train.positive.sum(), (~classes.train.positive).sum()))
        fraction = smaller / len(classes.all)
        return tuple(Cell(C, fraction, smaller, *_compared(parts, C)) for C in Cs)


def _compared(parts: list[tuple[NDArray[np.floating], NDArray[np.bool_]]], C: float) -> tuple[float, float]:
    """Agreement, the cosine of what the two halves move, and validation, the share of each class that the other half's
    hyperplane puts on its side; NaN where one half has none.
    """
    try:
        planes = [fit_sparse(x_ND, positive_N, C) for x_ND, positive_N in parts]
    except NoHyperplane:
        return np.nan, np.nan
    first, second = (plane.move / np.linalg.norm(plane.move) for plane in planes)
    shares = [
        ((plane.side(x_ND) > 0) == positive_N)[positive_N == side].mean()
        for plane, (x_ND, positive_N) in zip(planes, reversed(parts), strict=True)
        for side in (True, False)
    ]
    return float(first @ second), float(np.mean(shares))


def _sparsest(cells: tuple[Cell, ...]) -> Cell:
    """The smallest C whose validation is within one standard error of the best. Raises NoHyperplane."""
    fitted = [cell for cell in cells if np.isfinite(cell.validation)]
    if not fitted:
        raise NoHyperplane("at no C that was tried a channel tells the two classes apart: give more rows, or --C")
    most = max(cell.validation for cell in fitted)
    error = np.sqrt(most * (1 - most) / (2 * fitted[0].rows_per_class))
    return min((cell for cell in fitted if cell.validation >= most - error), key=lambda cell: cell.C)


def _halves(classes: Classes, seed: int) -> list[tuple[NDArray[np.int64], NDArray[np.bool_]]]:
    """The rows to fit on as two halves, each class dealt alike."""
    train = classes.train
    mixed = shuffled(len(train), seed, HALVES)
    mixed = mixed[np.argsort(~train.positive[mixed], kind="stable")]
    places = [np.sort(mixed[0::2]), np.sort(mixed[1::2])]
    return [(train.rows[place], train.positive[place]) for place in places]


def _crossing(plane: SparseHyperplane) -> float:
    """The intercept of `plane.move`: such that a move from the mean crosses its boundary where it crosses the
    hyperplane."""
    move_D = plane.move
    steps = plane.b / float(np.sum(plane.normal * move_D))
    return float(steps * np.sum(move_D**2) - np.sum(move_D * plane.mean))
