"""Which fitted directions are unreliable: by held-out rows, by the agreement of two halves, by the number of rows.

Shapes: N rows.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.directions.direction import Direction
from pipeline.directions.method import FitConfig, features
from pipeline.models.codes import Codes

AGREE = 0.3
"""Least cosine of the normals of two halves; shuffled scores came to 0.25."""
FEW = 50
"""Rows of the smaller class that a direction is fitted on."""
ABOVE_CHANCE = 0.05
"""Least share of the held-out rows on the right side above one half; two standard errors, where these are more."""


def why_unreliable(
    config: FitConfig,
    direction: Direction,
    agreement: float | None,
    codes: Codes,
    scores_N: NDArray[np.floating],
    seed: int = 0,
    per_layer: bool = False,
) -> str:
    """Why a fitted direction is unreliable; empty if it is not.

    Args:
        config, codes, scores_N, seed, per_layer: what it was fitted by and on.
        direction: `Fit.hyperplane`, where the method keeps one.
        agreement: cosine of the directions of two halves of the rows, None where it is not known.
    """
    classes = config.classes(scores_N, seed, direction.fraction)
    held_out, smaller = classes.validation, int(min(classes.train.positive.sum(), (~classes.train.positive).sum()))
    right = direction.accuracies.get("validation")
    if classes.fraction is None and len(held_out) and 0 < held_out.positive.sum() < len(held_out):
        found = (config.held_out(direction, features(codes, per_layer), scores_N, classes) > 0) == held_out.positive
        right = float((found[held_out.positive].mean() + found[~held_out.positive].mean()) / 2)
    if right is not None and len(held_out):
        sizes = np.array([held_out.positive.sum(), (~held_out.positive).sum()]).clip(1)
        chance = 0.5 + max(ABOVE_CHANCE, float(np.sqrt((0.25 / sizes).sum())))
        if right < chance:
            advice = f", {config.advice} may help" if config.advice else ""
            return f"{100 * right:.0f} % of the held-out rows of each class on its side, by chance 50 %{advice}"
    if agreement is not None and agreement < AGREE:
        return f"two halves of the rows agree {agreement:.2f} of 1"
    return f"fitted on {smaller} rows of {direction.attribute} in the smaller class" if smaller < FEW else ""
