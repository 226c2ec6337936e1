"""Fit the judge's eyeglasses probe: `python -m benchmarks.calibrate probe`.

A linear classifier on frozen VGG16 features of the eye region, taught by the parser where the parser is sure: the
middle of its statistic, where thin rims and dark sockets lie, is left out. Each face is shown as it is and mirrored.

Shapes: N faces, F features.
"""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score
from torch import Tensor

from benchmarks.calibration_faces import Faces
from pipeline.models.classifiers.eyewear import CROP, FILE, STAGES, EyeRegion
from pipeline.models.classifiers.networks import Networks
from pipeline.models.classifiers.parser import Parser, eyeglasses

SURE = 1.0
"""Faces nearer to the parser's boundary than this are left out."""
C = 0.01


def fit(faces: Faces, boundary: float) -> None:
    """Write the probe: weights on raw features, then the intercept."""
    networks = Networks()
    parser, region = Parser(networks), EyeRegion(networks)

    def measure(x_N3HW: Tensor) -> dict[str, Tensor]:
        return {
            "eyeglasses": eyeglasses(parser(x_N3HW)),
            "features": region(x_N3HW),
            "mirrored": region(x_N3HW.flip(3)),
        }

    found = faces.measured("probe", f"{sorted(networks.digests.items())} {CROP} {STAGES} mirrored", measure)
    sure_N = np.abs(found["eyeglasses"] - boundary) > SURE
    x_NF = np.concatenate([found["features"][sure_N], found["mirrored"][sure_N]])
    y_N = np.tile(found["eyeglasses"][sure_N] > boundary, 2)
    face_N = np.tile(np.flatnonzero(sure_N), 2)
    # Half of the channels hardly ever answer in this region: by their own deviation one such answer would outweigh all.
    mean_F, deviation_F = x_NF.mean(0), x_NF.std(0)
    scale_F = np.maximum(deviation_F, deviation_F.mean())
    x_NF = (x_NF - mean_F) / scale_F
    model = LogisticRegression(C=C, class_weight="balanced", max_iter=5000)
    folds = GroupKFold(5, shuffle=True, random_state=0)
    accuracy = cross_val_score(model, x_NF, y_N, groups=face_N, cv=folds, scoring="balanced_accuracy").mean()
    model.fit(x_NF, y_N)
    weight_F = model.coef_[0] / scale_F
    intercept = model.intercept_[0] - weight_F @ mean_F
    np.save(FILE, np.append(weight_F, intercept).astype(np.float32))
    print(
        f"{sure_N.sum()} of {len(sure_N)} faces, {y_N.sum() // 2} with eyeglasses; "
        f"balanced accuracy {accuracy:.3f} over 5 folds"
    )
