"""Which fitted directions are unreliable: by held-out rows, by the agreement of two halves, by the number of rows.

Shapes: N rows.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pipeline.directions.direction import Direction
from pipeline.directions.method import Fit, FitConfig, FitInputs, features

AGREE = 0.3
"""Least cosine of the normals of two halves; shuffled scores came to 0.25."""
FEW = 50
"""Rows of the smaller class that a direction is fitted on."""
ABOVE_CHANCE = 0.05
"""Least share of the held-out rows on the right side above one half; two standard errors, where these are more."""
RIGHT = ("held_out_positive_right", "held_out_negative_right")
"""Counters of a fit: rows of each class that were held out and are on its side."""


def count_held_out(config: FitConfig, found: Fit, given: FitInputs) -> dict[str, float]:
    """The counters RIGHT of a fit; none where the classes are the highest and lowest scores, whose accuracies tell as
    much, or where no row of one class was held out.

    A method that keeps a hyperplane is judged by that: along its direction the rows are on other sides.
    """
    classes = config.classes(np.asarray(given.scores), given.seed, found.direction.fraction)
    kept = classes.validation
    if classes.fraction is not None or not 0 < kept.positive.sum() < len(kept):
        return {}
    sides_V = found.held_out
    if sides_V is None:
        plane = found.hyperplane or found.direction
        rows_ND = features(given.codes, given.per_layer)[kept.rows]
        sides_V = rows_ND @ plane.vector.astype(np.float64).ravel() + plane.intercept
    right_V = (sides_V > 0) == kept.positive
    return dict(zip(RIGHT, (float(right_V[kept.positive == of].sum()) for of in (True, False)), strict=True))


def why_unreliable(
    config: FitConfig,
    direction: Direction,
    agreement: float | None,
    counters: Mapping[str, float],
    scores_N: NDArray[np.floating],
    seed: int = 0,
) -> str:
    """Why a fitted direction is unreliable; empty if it is not.

    Args:
        config, scores_N, seed: what it was fitted by and on.
        agreement: cosine of the directions of two halves of the rows, None where it is not known.
        counters: of its fit; the accuracy on held-out rows stands in where RIGHT is not among them.
    """
    classes = config.classes(scores_N, seed, direction.fraction)
    held_out, smaller = classes.validation, int(min(classes.train.positive.sum(), (~classes.train.positive).sum()))
    sizes = np.array([held_out.positive.sum(), (~held_out.positive).sum()]).clip(1)
    right = direction.accuracies.get("validation")
    if all(name in counters for name in RIGHT):
        right = float(np.mean([counters[name] for name in RIGHT] / sizes))
    if right is not None and len(held_out):
        chance = 0.5 + max(ABOVE_CHANCE, float(np.sqrt((0.25 / sizes).sum())))
        if right < chance:
            advice = f", {config.advice} may help" if config.advice else ""
            return f"{100 * right:.0f} % of the held-out rows of each class on its side, by chance 50 %{advice}"
    if agreement is not None and agreement < AGREE:
        return f"two halves of the rows agree {agreement:.2f} of 1"
    return f"fitted on {smaller} rows of {direction.attribute} in the smaller class" if smaller < FEW else ""
