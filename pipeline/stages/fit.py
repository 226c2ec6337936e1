"""Directions fitted on scored rows, one task for each attribute; all tasks share one copy of the rows.

Shapes: N rows, A attributes.
"""

import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

import schemas
from pipeline.directions.choose import CS, FRACTIONS, Choice, check_choosable, choose, ranked
from pipeline.directions.classes import Classes, by_rank, by_threshold, check_scores
from pipeline.directions.direction import Direction
from pipeline.directions.hyperplane import NoHyperplane
from pipeline.directions.names import check_name
from pipeline.directions.svm import RELEASED_FRACTION, features, fit_as_released, fit_direction
from pipeline.engine.stage import Batch, Task
from pipeline.errors import SpecError
from pipeline.stages.direction_rows import to_rows
from pipeline.stages.fit_rows import FitRows
from schemas import TableSchema

HALF = 0.5
UNCONVERGED = "fits_not_converged"
"""Counter of fits that met the solver's limit of passes."""
NEXT_BEST = "fits_at_the_next_best_C"
"""Counter of fits at another choice than the best, at which all rows have no hyperplane."""


@dataclass(frozen=True)
class How:
    """How the classes and C are taken. What is None is chosen by the agreement of two halves of the rows.

    fraction: of the rows, in each class. threshold: without a fraction all rows are used, and it parts them, also where
    C is chosen. as_released: as the public code. margin: agreement to give up for a larger C. balanced: C of each class
    is weighted by how few it is.
    """

    C: float | None = None
    fraction: float | None = None
    threshold: float | None = None
    as_released: bool = False
    seed: int = 0
    margin: float = 0.0
    balanced: bool = False

    def of_yes_or_no(self, threshold: float | None) -> "How":
        """The same of scores that are two values, with the threshold between them; None: of other scores."""
        return self if threshold is None else replace(self, threshold=threshold, fraction=None)

    @property
    def by_threshold(self) -> bool:
        return self.threshold is not None and self.fraction is None

    @property
    def chooses(self) -> bool:
        """Whether anything is left to choose."""
        return not self.as_released and (self.C is None or (self.fraction is None and not self.by_threshold))

    @property
    def parting(self) -> float | None:
        """The threshold, where it alone makes the classes."""
        return self.threshold if self.by_threshold else None

    @property
    def fractions(self) -> tuple[float, ...]:
        """What there is to choose from: the one that is given, else the grid's."""
        return FRACTIONS if self.fraction is None else (self.fraction,)

    def classes(self, scores_N: NDArray[np.floating], fraction: float) -> Classes:
        """The rows of a fit. Raises SpecError as `by_rank` and `by_threshold`."""
        if self.threshold is not None and self.by_threshold:
            return by_threshold(scores_N, self.threshold, self.seed)
        return by_rank(scores_N, fraction, self.seed, self.threshold)

    def check(self, attribute: str, scores_N: NDArray[np.floating]) -> None:
        """Raise SpecError, naming the attribute, where its scores give no two classes, or fewer rows than asked; or
        where its name could not be typed to choose its direction.
        """
        check_name(attribute)
        if self.balanced and not self.by_threshold:
            raise SpecError(
                f"{attribute}: class weights go with a threshold, or with scores of yes and no: else both classes have "
                "as many rows"
            )
        try:
            check_scores(scores_N)
            if self.as_released:
                by_rank(scores_N, RELEASED_FRACTION, self.seed)
            elif self.by_threshold or self.fraction is not None:
                self.classes(scores_N, self.fraction or HALF)
            if self.chooses:
                check_choosable(scores_N, self.fractions, self.seed, self.parting)
        except SpecError as error:
            raise SpecError(f"{attribute}: {error}") from error


@dataclass(frozen=True, eq=False)
class FitStage:
    """Fit a linear SVM for each attribute; row and shard k are attribute k.

    scores: (N, A). classifiers: what scored each attribute. thresholds: by attribute, of those that are yes or no.
    """

    rows: FitRows
    scores: NDArray[np.floating]
    attributes: tuple[str, ...]
    classifiers: tuple[str | None, ...]
    how: How
    generator: str | None
    threads: int
    thresholds: Mapping[str, float] = field(default_factory=dict)
    name: str = field(default="fit", init=False)
    version: int = field(default=4, init=False)

    @property
    def outputs(self) -> Mapping[str, TableSchema]:
        chooses = any(self.how_of(attribute).chooses for attribute in self.attributes)
        return {**({"grids": schemas.grids()} if chooses else {}), "directions": schemas.directions()}

    def how_of(self, attribute: str) -> How:
        """How the classes of one attribute are taken: of yes and no, all rows, since there is no highest and lowest."""
        return self.how.of_yes_or_no(self.thresholds.get(attribute))

    def open(self) -> "FitWorker":
        return FitWorker(self)


class FitWorker:
    """The stage, with its rows as codes."""

    def __init__(self, stage: FitStage) -> None:
        self.stage = stage
        self.codes = stage.rows.codes()

    def run(self, task: Task) -> Iterator[Batch]:
        """One batch for each attribute. The threads of BLAS are pinned: their number can move the last bit."""
        for index in range(task.first, task.stop):
            if not task.wanted(np.array([index])).any():
                continue
            with threadpool_limits(self.stage.threads, user_api="blas"):
                yield self._fit(index)

    def _fit(self, index: int) -> Batch:
        stage, begun = self.stage, time.perf_counter()
        attribute, scores_N = stage.attributes[index], stage.scores[:, index]
        try:
            choice = self._choose(attribute, scores_N)
            chosen = time.perf_counter()
            direction, counters = self._fitted(index, choice)
        except NoHyperplane as error:
            raise SpecError(f"{attribute}: {error}{self._remedy(attribute)}") from error
        except SpecError as error:
            raise SpecError(f"{attribute}: {error}") from error
        tables = {"directions": to_rows([stage.rows.named(direction)], index)}
        if "grids" in stage.outputs:
            tables["grids"] = _grid(index, attribute, choice)
        seconds = {"choose_seconds": chosen - begun, "fit_seconds": time.perf_counter() - chosen}
        return Batch(tables, (), seconds | counters)

    def _fitted(self, index: int, choice: Choice) -> tuple[Direction, dict[str, float]]:
        """The direction, and counters of what to know of it. Where all rows have no hyperplane at the choice, though
        their halves had one, that of the next best is taken. Raises NoHyperplane where there is none at all.
        """
        how, refused = self.stage.how_of(self.stage.attributes[index]), None
        others = [cell for cell in ranked(choice.grid) if (cell.C, cell.fraction) != (choice.C, choice.fraction)]
        for C, fraction in [(choice.C, choice.fraction), *((cell.C, how.fraction or cell.fraction) for cell in others)]:
            try:
                with warnings.catch_warnings(record=True) as said:
                    warnings.simplefilter("always", ConvergenceWarning)
                    direction = self._direction(index, Choice(C, fraction, choice.grid))
            except NoHyperplane as error:
                refused = refused or error
                continue
            counters = {UNCONVERGED: 1.0} if any(issubclass(one.category, ConvergenceWarning) for one in said) else {}
            return direction, counters | ({} if refused is None else {NEXT_BEST: 1.0})
        raise refused or NoHyperplane("nothing was tried")

    def _remedy(self, attribute: str) -> str:
        how = self.stage.how_of(attribute)
        weighted = how.balanced or not how.by_threshold
        return ": give more rows, or another --C" if weighted else ": --class-weight balanced may help, or more rows"

    def _choose(self, attribute: str, scores_N: NDArray[np.floating]) -> Choice:
        """What was asked, or the best; a fraction that was asked is fitted with as it is, however few rows it is."""
        how = self.stage.how_of(attribute)
        if not how.chooses:
            return Choice(how.C or 0.0, how.fraction or HALF, ())
        Cs = CS if how.C is None else (how.C,)
        rows_ND = features(self.codes, self.stage.rows.per_layer)
        choice = choose(
            rows_ND, scores_N, Cs, how.fractions, seed=how.seed, margin=how.margin,
            threshold=how.parting, balanced=how.balanced,
        )  # fmt: skip
        return Choice(choice.C, how.fraction or choice.fraction, choice.grid)

    def _direction(self, index: int, choice: Choice) -> Direction:
        stage, attribute = self.stage, self.stage.attributes[index]
        how, scores_N = stage.how_of(attribute), stage.scores[:, index]
        generator, classifier = stage.generator, stage.classifiers[index]
        if how.as_released:
            return fit_as_released(self.codes, scores_N, attribute, how.seed, generator, classifier)
        classes = how.classes(scores_N, choice.fraction)
        return fit_direction(
            self.codes, scores_N, attribute, classes, choice.C, stage.rows.per_layer, generator, classifier,
            how.balanced,
        )  # fmt: skip


def _grid(index: int, attribute: str, choice: Choice) -> pa.Table:
    cells = choice.grid
    names = ("C", "fraction", "rows_per_class", "agreement", "validation")
    columns = {name: [_or_null(getattr(cell, name)) for cell in cells] for name in names}
    return schemas.grids().rows(
        {
            **columns,
            "index": np.full(len(cells), index),
            "candidate": range(len(cells)),
            "attribute": [attribute] * len(cells),
        }
    )


def _or_null(number: float) -> float | None:
    return number if np.isfinite(number) else None
