"""Fit the judge's eyeglasses probe: `python -m benchmarks.calibrate probe`.

A linear classifier on frozen VGG16 features of the eye region, taught by the parser where the parser is sure: the
middle of its statistic, where thin rims and dark sockets lie, is left out.

Shapes: N faces, F features.
"""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from benchmarks.calibration_faces import Faces
from pipeline.models.classifiers.eyewear import CROP, FILE, STAGES, EyeRegion
from pipeline.models.classifiers.networks import Networks
from pipeline.models.classifiers.parser import Parser

SURE = 1.0
"""Faces nearer to the parser's boundary than this are left out."""
C = 0.1


def fit(faces: Faces, boundary: float) -> None:
    """Write the probe: weights on raw features, then the intercept."""
    networks = Networks()
    parser, region = Parser(networks), EyeRegion(networks)

    def measure(x_N3HW: Tensor) -> dict[str, Tensor]:
        return {**parser(x_N3HW), "features": region(x_N3HW)}

    found = faces.measured("probe", f"{sorted(networks.digests.items())} {CROP} {STAGES}", measure)
    sure_N = np.abs(found["eyeglasses"] - boundary) > SURE
    x_NF, y_N = found["features"][sure_N], found["eyeglasses"][sure_N] > boundary
    model = make_pipeline(StandardScaler(), LogisticRegression(C=C, class_weight="balanced", max_iter=2000))
    accuracy = cross_val_score(model, x_NF, y_N, cv=5, scoring="balanced_accuracy").mean()
    model.fit(x_NF, y_N)
    scaler, linear = model[0], model[1]
    weight_F = linear.coef_[0] / scaler.scale_
    intercept = linear.intercept_[0] - weight_F @ scaler.mean_
    np.save(FILE, np.append(weight_F, intercept).astype(np.float32))
    print(
        f"{sure_N.sum()} of {len(sure_N)} faces, {y_N.sum()} with eyeglasses; "
        f"balanced accuracy {accuracy:.3f} over 5 folds"
    )
