"""A direction from scored codes: the unit normal of a linear SVM between two classes of rows (paper Sec. 3.1).

Shapes: N rows, D numbers of a row as the SVM sees them, L layers, W w_dim.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from pipeline.directions.classes import Classes, by_rank, check_scores
from pipeline.directions.direction import Direction, normalised
from pipeline.directions.hyperplane import Hyperplane, fit, fit_by_libsvm
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
        per_layer: in w+ a vector for each layer, not one shared by all.
        generator, classifier: kept in the direction.
        balanced: as `hyperplane.fit`.

    Raises:
        SpecError: codes and scores of different rows; as `features`, `check_scores` and `hyperplane.fit`.
    """
    rows_ND = _rows(codes, scores, classes, per_layer)
    train = classes.train
    plane = fit(rows_ND[train.rows], train.positive, C, balanced)
    return _direction(plane, rows_ND, codes, attribute, classes, per_layer, generator, classifier)


def fit_as_released(
    codes: Codes,
    scores: ArrayLike,
    attribute: str,
    seed: int = 0,
    generator: str | None = None,
    classifier: str | None = None,
) -> Direction:
    """The public code's fit: `SVC`, fraction 0.02, C = 1, the intercept thrown away (the accuracies are with it)."""
    classes = by_rank(scores, RELEASED_FRACTION, seed)
    rows_ND = _rows(codes, scores, classes, False)
    plane = fit_by_libsvm(rows_ND[classes.train.rows], classes.train.positive, RELEASED_C)
    fitted = _direction(plane, rows_ND, codes, attribute, classes, False, generator, classifier)
    return dataclasses.replace(fitted, intercept=0.0)


def _rows(codes: Codes, scores: ArrayLike, classes: Classes, per_layer: bool) -> NDArray[np.float32]:
    scores_N = check_scores(scores)
    if not len(codes) == len(scores_N) == len(classes.all):
        raise SpecError(
            f"{len(codes)} codes, {len(scores_N)} scores, classes of {len(classes.all)} rows: give one for one"
        )
    return features(codes, per_layer)


def _direction(
    plane: Hyperplane,
    rows_ND: NDArray[np.floating],
    codes: Codes,
    attribute: str,
    classes: Classes,
    per_layer: bool,
    generator: str | None,
    classifier: str | None,
) -> Direction:
    vector = plane.normal.reshape(codes.values.shape[1:]) if per_layer else plane.normal
    return normalised(
        attribute, "svm", codes.space, vector, plane.intercept, C=plane.C, fraction=classes.fraction,
        accuracies=accuracies(plane, rows_ND, classes), rows=len(classes.train), generator=generator,
        classifier=classifier,
    )  # fmt: skip


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
