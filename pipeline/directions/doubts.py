"""Which fits prove nothing: by the rows kept aside, by the agreement of two halves, by how few rows there are.

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


def doubt(
    config: FitConfig,
    direction: Direction,
    agreement: float | None,
    codes: Codes,
    scores_N: NDArray[np.floating],
    seed: int = 0,
    per_layer: bool = False,
) -> str:
    """Why a fitted direction proves nothing; empty where it does.

    Args:
        config, codes, scores_N, seed, per_layer: what it was fitted by and on.
        agreement: cosine of the directions of two halves of the rows, None where it is not known.
    """
    classes = config.classes(scores_N, seed, direction.fraction)
    kept, smaller = classes.validation, int(min(classes.train.positive.sum(), (~classes.train.positive).sum()))
    right = direction.accuracies.get("validation")
    if classes.fraction is None and len(kept) and 0 < kept.positive.sum() < len(kept):
        found = (config.held_out(direction, features(codes, per_layer), scores_N, classes) > 0) == kept.positive
        right = float((found[kept.positive].mean() + found[~kept.positive].mean()) / 2)
    if right is not None and len(kept):
        sizes = np.array([kept.positive.sum(), (~kept.positive).sum()]).clip(1)
        chance = 0.5 + max(ABOVE_CHANCE, float(np.sqrt((0.25 / sizes).sum())))
        if right < chance:
            advice = f", {config.advice} may help" if config.advice else ""
            return f"{100 * right:.0f} % of each class kept aside on its side, by chance 50 %{advice}"
    if agreement is not None and agreement < AGREE:
        return f"two halves of the rows agree {agreement:.2f} of 1"
    return f"fitted on {smaller} rows of {direction.attribute} in the smaller class" if smaller < FEW else ""
