"""A direction from scored codes: the unit normal of a linear SVM between two classes of rows (paper Sec. 3.1).

Shapes: N rows, D numbers of a row as the SVM sees them, L layers, W w_dim.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from pipeline.directions.classes import Classes, Part, by_rank, check_scores
from pipeline.directions.direction import Direction, normalised
from pipeline.directions.hyperplane import Hyperplane, Points, fit
from pipeline.errors import SpecError
from pipeline.models.codes import Codes

RELEASED_C, RELEASED_FRACTION = 1.0, 0.02
CHUNK = 65536
"""Rows whose distances are computed at a time."""


def features(codes: Codes, per_layer: bool = False) -> NDArray[np.float32]:
    """(N, D): the rows as they are; in w+ their mean over the layers, or all layers side by side.

    Raises:
        SpecError: `per_layer` in another space than w+, or a number that is not finite (the row is named).
    """
    if per_layer and codes.space != "w+":
        raise SpecError(f"codes in {codes.space} have no layers: leave out per-layer")
    values = codes.values.detach().to("cpu", torch.float32)
    if codes.space == "w+":
        values = values.flatten(1) if per_layer else values.mean(dim=1)
    rows_ND = values.numpy()
    bad = np.flatnonzero(~np.isfinite(rows_ND).all(axis=1))
    if len(bad):
        raise SpecError(f"the code of row {bad[0]} is not finite ({len(bad)} such rows): leave these rows out")
    return rows_ND


def points(rows_ND: NDArray[np.floating], part: Part, dtype: type[np.floating] = np.float64) -> Points:
    """The rows of a part, ready to be fitted on."""
    return Points(rows_ND[part.rows], part.positive, dtype)


def fit_direction(
    codes: Codes,
    scores: ArrayLike,
    attribute: str,
    classes: Classes,
    C: float,
    per_layer: bool = False,
    generator: str | None = None,
    classifier: str | None = None,
) -> Direction:
    """The direction of an attribute, with its intercept and accuracies.

    Args:
        codes: all N rows.
        scores: (N,) or (N, 1), of the same rows.
        classes: of these scores, by `by_rank` or `by_threshold`.
        C: as LibSVM's.
        per_layer: in w+ a vector for each layer, not one shared by all.
        generator, classifier: kept in the direction.

    Raises:
        SpecError: codes and scores of different rows; as `features`, `check_scores` and `hyperplane.fit`.
    """
    scores_N = check_scores(scores)
    if not len(codes) == len(scores_N) == len(classes.all):
        raise SpecError(
            f"{len(codes)} codes, {len(scores_N)} scores, classes of {len(classes.all)} rows: give one for one"
        )
    rows_ND = features(codes, per_layer)
    plane = fit(points(rows_ND, classes.train), C)
    vector = plane.normal.reshape(codes.values.shape[1:]) if per_layer else plane.normal
    return normalised(
        attribute, "svm", codes.space, vector, plane.intercept, C=C, fraction=classes.fraction,
        accuracies=accuracies(plane, rows_ND, classes), rows=len(classes.train), generator=generator,
        classifier=classifier,
    )  # fmt: skip


def fit_as_released(
    codes: Codes,
    scores: ArrayLike,
    attribute: str,
    seed: int = 0,
    generator: str | None = None,
    classifier: str | None = None,
) -> Direction:
    """The public code's fit: fraction 0.02, C = 1, the intercept thrown away (the accuracies are still with it)."""
    classes = by_rank(scores, RELEASED_FRACTION, seed)
    fitted = fit_direction(codes, scores, attribute, classes, RELEASED_C, generator=generator, classifier=classifier)
    return dataclasses.replace(fitted, intercept=0.0)


def accuracies(plane: Hyperplane, rows_ND: NDArray[np.floating], classes: Classes) -> dict[str, float]:
    """Share of rows on the right side, of train, validation, remaining and all, where there are any (paper Table 1).

    Train and validation are labelled by class, remaining and all by the boundary of the scores. The paper's "all" is
    the public code's remaining set.
    """
    chunks = [plane.distance(rows_ND[start : start + CHUNK]) for start in range(0, len(rows_ND), CHUNK)]
    predicted_N = np.concatenate(chunks) > 0
    parts = {
        "train": classes.train, "validation": classes.validation, "remaining": classes.remaining, "all": classes.all,
    }  # fmt: skip
    return {name: float((predicted_N[part.rows] == part.positive).mean()) for name, part in parts.items() if len(part)}
