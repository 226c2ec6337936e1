"""A direction from scored codes by ridge regression: no classes, every row counts by its score.

    minimise over w, b    sum_i (y_i - <w, x_i> - b)^2 + alpha |w|^2

alpha is that of scikit-learn's Ridge on codes as they are (centred, not scaled) and scores in their unit; the squared
errors are summed, so a given alpha matters less with more rows. Of 100, 300, 1,000, 3,000 and 10,000, 300 gave the
directions in w nearest to published ones at 375, 750 and 1,500 rows (benchmarks/results/directions.md).

Shapes: N rows, D features of a row.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from threadpoolctl import threadpool_limits

from pipeline.directions.classes import Classes, accuracies, by_threshold
from pipeline.directions.method import Fit, FitConfig, FitInputs

CHUNK = 65536
"""Rows whose scores are predicted at a time."""


class Config(FitConfig):
    """Ridge regression of the score on the codes, over all rows; its boundary is where the score is 0."""

    GROUP: ClassVar[str | None] = "ridge"

    alpha: float = Field(
        300.0,
        gt=0,
        allow_inf_nan=False,
        exclude=True,
        description="Ridge regularisation: alpha of scikit-learn's Ridge, for unscaled codes.",
    )

    def check(self, scores_N: NDArray[np.floating], seed: int) -> None:
        self.classes(scores_N, seed)

    def classes(self, scores_N: NDArray[np.floating], seed: int, fraction: float | None = None) -> Classes:
        """All rows, parted by the threshold; raises SpecError where fewer than two are on one side."""
        return by_threshold(scores_N, self.threshold or 0.0, seed)

    def fit(self, given: FitInputs) -> Fit:
        """As `FitConfig.fit`. The direction is of all rows; rows of validation are judged by one of the others."""
        rows_ND, scores_N = given.features()
        classes = self.classes(scores_N, given.seed)
        train, kept = classes.train.rows, classes.validation
        with threadpool_limits(1):  # the number of threads moves the last bits
            w_D, b = self._solved(rows_ND, scores_N)
            chunks = [rows_ND[start : start + CHUNK] @ w_D + b for start in range(0, len(rows_ND), CHUNK)]
            without_D, its_b = self._solved(rows_ND[train], scores_N[train])
            held_out_V = rows_ND[kept.rows] @ without_D + its_b
        right = accuracies(np.concatenate(chunks) > 0, classes)
        right["validation"] = float(((held_out_V > 0) == kept.positive).mean())
        return Fit(given.direction("ridge", w_D, b, right, len(rows_ND)), held_out=held_out_V)

    def _solved(self, x_ND: NDArray[np.floating], scores_N: NDArray[np.floating]) -> tuple[NDArray[np.float64], float]:
        """w (D,) and the intercept of the boundary, where the predicted score is the threshold."""
        from sklearn.linear_model import Ridge

        model = Ridge(alpha=self.alpha).fit(x_ND.astype(np.float64), scores_N)
        return model.coef_, float(model.intercept_) - (self.threshold or 0.0)
