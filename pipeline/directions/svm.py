"""Fit a direction to scored codes: the unit normal of a linear SVM between two classes of rows (paper Sec. 3.1).

Shapes: N rows, D features of a row (what the SVM is fitted on), L layers, W w_dim.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field, model_validator

from pipeline.directions import sparse_svm
from pipeline.directions.choose import (
    FRACTION,
    LEAST_ROWS,
    MARGIN,
    Cell,
    best,
    check_choosable,
    fraction_of,
    ladder,
    ranked,
    try_all,
)
from pipeline.directions.classes import Classes, accuracies, by_rank, by_threshold, check_scores
from pipeline.directions.direction import Direction
from pipeline.directions.hyperplane import Hyperplane, NoHyperplane, fit, fit_by_libsvm
from pipeline.directions.method import Fit, FitConfig, FitInputs
from pipeline.errors import SpecError
from pipeline.models.codes import Codes

RELEASED_C, RELEASED_FRACTION = 1.0, 0.02
OF_L2 = ("margin", "class_weight", "as_released")
"""Flags that do not go with --penalty l1."""
STORED_MARGIN = 0.05
"""The margin that is stored for a fit where no C is chosen. Fixed, so that stored specs of older fits still match."""
CHUNK = 65536
"""Rows whose distances are computed at a time."""
UNCONVERGED = "fits_not_converged"
"""Counter of fits that reached the solver's limit of passes."""
NEXT_BEST = "fits_at_the_next_best_C"
"""Counter of fits at another C than the best, because at the best C all rows give no hyperplane."""


class Config(FitConfig):
    """Fit the normal of a linear SVM between the rows with the highest and those with the lowest scores."""

    GROUP: ClassVar[str | None] = "svm"
    NOTES: ClassVar[Mapping[str, str]] = {
        NEXT_BEST: "on all rows the best C has no hyperplane, and the next best was taken",
        UNCONVERGED: "the SVM ended at its limit of passes, near the best hyperplane: a smaller --C comes to its end",
    }

    C: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="SVM regularisation C, for unscaled codes (with --penalty l1: standardised ones). Default: chosen "
        "by how well the normals of two halves of the rows agree, in w mostly 0.001 to 0.01; with --penalty l1: the "
        "smallest C whose accuracy is within one standard error of the best.",
    )
    fraction: float | None = Field(
        None,
        gt=0,
        le=0.5,
        description=f"Share of the rows in each class (highest and lowest scores). Default: {FRACTION}, but at least "
        f"{LEAST_ROWS} rows in each class if there are as many. With --penalty l1: all rows, split at score 0.",
    )
    penalty: Literal["l2", "l1"] = Field(
        "l2",
        exclude=True,
        description="l1: on standardised channels, so that most entries of the normal are 0 (Style Intervention); both "
        "classes have equal weight. DIR/directions has the moves, DIR/hyperplanes the normals.",
    )
    margin: float | None = Field(
        None,
        ge=0,
        lt=1,
        description=f"Take the largest C whose agreement is within this margin of the best. Default: {MARGIN}.",
    )
    class_weight: Literal["balanced"] | None = Field(
        None,
        description="balanced: both classes have equal weight; only with --threshold or with scores of "
        "yes and no. Default: all rows have equal weight.",
    )
    as_released: bool = Field(False, description="Follow the public code: C 1, fraction 0.02, no intercept.")

    @model_validator(mode="after")
    def _go_together(self) -> Self:
        decided = ("C", "fraction", "threshold", "margin", "class_weight")
        if self.as_released and (given := [name for name in decided if getattr(self, name) is not None]):
            raise ValueError(f"--as-released decides it: leave out --{given[0].replace('_', '-')}")
        if self.margin is not None and self.C is not None:
            raise ValueError("--margin is for choosing C: leave out one of the two")
        if self.penalty == "l1" and (given := [name for name in OF_L2 if getattr(self, name)]):
            raise ValueError(f"--penalty l1 takes no --{given[0].replace('_', '-')}")
        if self.class_weight and self.fraction is not None:
            raise ValueError("--class-weight goes with no --fraction, by which both classes have as many rows")
        return self

    @property
    def variant(self) -> FitConfig:
        if self.penalty == "l2":
            return self
        return sparse_svm.Config(C=self.C, fraction=self.fraction, threshold=self.threshold)

    @property
    def balanced(self) -> bool:
        return self.class_weight == "balanced"

    @property
    def of_all_rows(self) -> bool:
        """Whether all rows are used, split by the threshold."""
        return self.threshold is not None and self.fraction is None

    @property
    def facts(self) -> Mapping[str, Any]:
        """What is stored: C is "chosen" where it is chosen, C and fraction are None where --as-released decides."""
        return {
            **{name: value for name, value in super().facts.items() if name != "penalty"},
            "C": self.C if self.C or self.as_released else "chosen",
            "fraction": self.fraction if self.fraction or self.as_released or self.of_all_rows else FRACTION,
            "margin": self._margin if self.C is None and not self.as_released else STORED_MARGIN,
        }

    @property
    def keeps_tried(self) -> bool:
        """Whether Cs are tried on halves of the rows. Not where C and the fraction are both given."""
        return not self.as_released and (self.C is None or (self.fraction is None and not self.of_all_rows))

    @property
    def advice(self) -> str:
        return "--class-weight balanced" if self.of_all_rows and not self.balanced else ""

    @property
    def of_ranks(self) -> str:
        return "" if self.fraction is None else "--fraction"

    def of_yes_or_no(self, threshold: float) -> Self:
        """For scores of yes and no: fit on all rows, since no scores are highest or lowest."""
        return self.model_copy(update={"threshold": threshold, "fraction": None})

    def check(self, scores_N: NDArray[np.floating], seed: int) -> None:
        """Raises SpecError where the scores do not give two classes, or too few rows."""
        if self.balanced and not self.of_all_rows:
            raise SpecError(
                "class weights go with a threshold, or with scores of yes and no: else both classes have as many rows"
            )
        check_scores(scores_N)
        self.classes(scores_N, seed)
        if self.keeps_tried:
            check_choosable(scores_N, (self._fraction(len(scores_N)),), seed, self._parting)

    def classes(self, scores_N: NDArray[np.floating], seed: int, fraction: float | None = None) -> Classes:
        """The two classes of a fit at this fraction; by default at the one asked for."""
        if self.as_released:
            return by_rank(scores_N, RELEASED_FRACTION, seed)
        if self._parting is not None:
            return by_threshold(scores_N, self._parting, seed)
        return by_rank(scores_N, fraction or self._fraction(len(scores_N)), seed, self.threshold)

    def fit(self, given: FitInputs) -> Fit:
        """As `FitConfig.fit`. Raises NoHyperplane if no C gives one."""
        if self.as_released:
            return Fit(fit_as_released(given))
        rows_ND, scores_N = given.features()
        try:
            tried = self._tried(rows_ND, scores_N, given.seed)
            plane, classes, counters = self._plane(rows_ND, scores_N, given.seed, tried)
        except NoHyperplane as error:
            advice = f"{self.advice} may help, or more rows" if self.advice else "give more rows, or another --C"
            raise NoHyperplane(f"{error}: {advice}") from error
        return Fit(_direction(plane, rows_ND, given, classes), tried, counters)

    def _plane(
        self, rows_ND: NDArray[np.floating], scores_N: NDArray[np.float64], seed: int, tried: tuple[Cell, ...]
    ) -> tuple[Hyperplane, Classes, dict[str, float]]:
        """The hyperplane, its classes and the counters of a fit on all rows at the best C; at the next best C if all
        rows give no hyperplane there, although their halves did. Raises NoHyperplane if no C gives one.
        """
        refused, classes = None, self.classes(scores_N, seed)
        rows, positive = classes.train.rows, classes.train.positive
        for number, C in enumerate(self._Cs(tried)):
            try:
                with warnings.catch_warnings(record=True) as said:
                    warnings.simplefilter("always")
                    plane = fit(rows_ND[rows], positive, C, self.balanced)
            except NoHyperplane as error:
                refused = refused or error
                continue
            counters = {NEXT_BEST: 1.0} if number else {}
            if any(_of_the_solver(one.category) for one in said):
                counters[UNCONVERGED] = 1.0
            return plane, classes, counters
        raise refused or NoHyperplane("no hyperplane was tried")

    @property
    def _parting(self) -> float | None:
        """The threshold, where it alone makes the classes."""
        return self.threshold if self.of_all_rows else None

    @property
    def _margin(self) -> float:
        return MARGIN if self.margin is None else self.margin

    def _fraction(self, rows: int) -> float:
        return self.fraction or fraction_of(rows)

    def _tried(self, rows_ND: NDArray[np.floating], scores_N: NDArray[np.float64], seed: int) -> tuple[Cell, ...]:
        """Every candidate C (one if it is given), tried on halves of the rows; empty where nothing is to be chosen."""
        if not self.keeps_tried:
            return ()
        Cs = ladder(rows_ND) if self.C is None else (self.C,)
        fractions = (self._fraction(len(scores_N)),)
        return try_all(rows_ND, scores_N, Cs, fractions, seed=seed, threshold=self._parting, balanced=self.balanced)

    def _Cs(self, tried: tuple[Cell, ...]) -> Iterator[float]:  # noqa: N802  the SVM's C
        """The Cs to fit with, the best first."""
        if self.C is not None:
            yield self.C
            return
        first = best(tried, self._margin)
        yield first.C
        yield from (cell.C for cell in ranked(tried) if cell is not first)


def fit_direction(
    codes: Codes,
    scores: ArrayLike,
    attribute: str,
    classes: Classes,
    C: float,
    per_layer: bool = False,
    generator: str | None = None,
    classifier: str | None = None,
    balanced: bool = False,
) -> Direction:
    """The direction of an attribute, with its intercept and accuracies.

    Args:
        codes: all N rows.
        scores: (N,) or (N, 1), of the same rows.
        classes: of these scores, by `by_rank` or `by_threshold`.
        C: SVM regularisation, for codes as they are.
        per_layer: in w+, one vector for each layer, not one shared by all.
        generator, classifier: kept in the direction.
        balanced: as `hyperplane.fit`.

    Raises:
        SpecError: codes and scores of different rows; as `features`, `check_scores` and `hyperplane.fit`.
    """
    given = FitInputs(codes, scores, attribute, 0, per_layer, generator, classifier)
    rows_ND = _rows(given, classes)
    train = classes.train
    plane = fit(rows_ND[train.rows], train.positive, C, balanced)
    return _direction(plane, rows_ND, given, classes)


def fit_as_released(given: FitInputs) -> Direction:
    """The public code's fit: `SVC`, fraction 0.02, C = 1; one vector for all layers. The accuracies use the intercept,
    which is then set to 0."""
    given = dataclasses.replace(given, per_layer=False)
    classes = by_rank(given.scores, RELEASED_FRACTION, given.seed)
    rows_ND = _rows(given, classes)
    plane = fit_by_libsvm(rows_ND[classes.train.rows], classes.train.positive, RELEASED_C)
    return dataclasses.replace(_direction(plane, rows_ND, given, classes), intercept=0.0)


def _rows(given: FitInputs, classes: Classes) -> NDArray[np.float32]:
    rows_ND, scores_N = given.features()
    if len(scores_N) != len(classes.all):
        raise SpecError(f"{len(scores_N)} rows, classes of {len(classes.all)} rows: give as many of both")
    return rows_ND


def _direction(plane: Hyperplane, rows_ND: NDArray[np.floating], given: FitInputs, classes: Classes) -> Direction:
    chunks = [plane.distance(rows_ND[start : start + CHUNK]) for start in range(0, len(rows_ND), CHUNK)]
    right = accuracies(np.concatenate(chunks) > 0, classes)
    return given.direction(
        "svm", plane.normal, plane.intercept, right, len(classes.train), C=plane.C, fraction=classes.fraction
    )


def _of_the_solver(category: type[Warning]) -> bool:
    """Whether a warning says that the solver reached its limit of passes."""
    from sklearn.exceptions import ConvergenceWarning

    return issubclass(category, ConvergenceWarning)
