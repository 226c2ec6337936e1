"""A linear head on frozen features, from some hundred faces labelled by hand: scikit-learn's logistic regression.

Shapes: N labelled faces, M others, F features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import SpecError

PLATT_C = 100.0
"""A slope that ends, where scores part the faces without a mistake."""
C = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""Inverse strengths of regularisation (L2) among which held-out faces choose; features are scaled to deviation 1."""
FOLDS = 5
FEWEST = 10
"""Faces with the attribute, and without it."""
ITERATIONS = 2000

MEANINGS = {
    "accuracy": "share of the labelled faces, each held out of the fit, on whose side the classifier agrees",
    "balanced_accuracy": "mean of this share over faces with the attribute and without it",
    "auc": "probability that a held-out face with the attribute has the higher score of two",
    "share": "share of the labelled faces that have the attribute",
    "C": "inverse strength of the regularisation",
    "unit": "standard deviation of the logit over labelled faces, held out, and others",
}


@dataclass(frozen=True, eq=False)
class LinearHead:
    """weight (F,) float32, intercept: the logit of a face is weight @ features + intercept, 0 where p = 0.5.

    unit: standard deviation of the logit: of labelled faces as held-out ones have it, and of the others.
    metrics: by the names of MEANINGS.
    """

    weight: NDArray[np.float32]
    intercept: float
    unit: float
    metrics: dict[str, float]


def fit(f_NF: NDArray[np.float32], yes_N: NDArray[np.bool_], f_MF: NDArray[np.float32], seed: int = 0) -> LinearHead:
    """Fit to N labelled faces. Slope and boundary are those of a logistic regression on held-out scores of stratified
    5-fold cross-validation (Platt), since those of few faces and many features are far too sure, or give one answer to
    all; C is the one with the least log-loss of these.

    f_MF: features of faces without a label, which tell how the score varies.

    Raises:
        SpecError: too few faces have the attribute, or lack it; all have the same features; or held-out faces are not
            told apart.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import balanced_accuracy_score, roc_auc_score
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    check(yes_N)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)

    def model(strength: float) -> Any:
        return make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=ITERATIONS))

    f_NF, f_MF = f_NF.astype(np.float64), f_MF.astype(np.float64)
    side_N = np.where(yes_N, 1.0, -1.0)
    held_out = {c: cross_val_predict(model(c), f_NF, yes_N, cv=folds, method="decision_function") for c in C}
    lines = {c: _platt(scores_N, yes_N) for c, scores_N in held_out.items()}
    told = {c: slope * held_out[c] + offset for c, (slope, offset) in lines.items()}
    chosen = min(C, key=lambda c: float(np.logaddexp(0, -side_N * told[c]).mean()))
    (slope, offset), logits = lines[chosen], told[chosen]
    if not slope > 0:
        raise SpecError(
            "faces that were not learned from are not told apart: label more faces, and look whether the labels are "
            "right"
        )
    scaler, regression = (step for _, step in model(chosen).fit(f_NF, yes_N).steps)
    weight_F = slope * regression.coef_[0] / scaler.scale_
    intercept = slope * float(regression.intercept_[0]) + offset - float(weight_F @ scaler.mean_)
    unit = float(np.concatenate([logits, f_MF @ weight_F + intercept]).std(ddof=1))
    metrics = {
        "accuracy": float(((logits > 0) == yes_N).mean()),
        "balanced_accuracy": float(balanced_accuracy_score(yes_N, logits > 0)),
        "auc": float(roc_auc_score(yes_N, logits)),
        "share": float(yes_N.mean()),
        "C": chosen,
        "unit": float(f"{unit:.6g}"),
    }
    return LinearHead(weight_F.astype(np.float32), intercept, metrics["unit"], metrics)


def _platt(scores_N: NDArray[np.float64], yes_N: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and offset that make logits of scores. Raises SpecError where all scores are the same."""
    from sklearn.linear_model import LogisticRegression

    middle, spread = float(scores_N.mean()), float(scores_N.std())
    if not spread > 0:
        raise SpecError("all these faces have the same features, so that nothing can be learned from them")
    line = LogisticRegression(C=PLATT_C, max_iter=ITERATIONS).fit((scores_N[:, None] - middle) / spread, yes_N)
    slope = float(line.coef_[0, 0]) / spread
    return slope, float(line.intercept_[0]) - slope * middle


def check(yes_N: NDArray[np.bool_]) -> None:
    """Raise SpecError where too few faces have the attribute, or lack it."""
    yes, no = int(yes_N.sum()), int((~yes_N).sum())
    if min(yes, no) < FEWEST:
        raise SpecError(
            f"{yes} faces have the attribute and {no} do not: label at least {FEWEST} of each, better a hundred"
        )
