"""The paper's numbers (Shen et al., Interpreting the Latent Space of GANs for Semantic Face Editing, CVPR 2020)."""

import pandas as pd

LEAD = (
    "The paper fits linear boundaries on 500,000 faces of PGGAN and looks at StyleGAN besides, with a ResNet-50 that "
    "labels five attributes. Here the generator and the classifiers are those at hand, and the faces a hundredth of "
    "that: what is compared is the pattern, not the digits."
)
NAMES = {"yaw": "Pose", "smile": "Smile", "old": "Age", "male": "Gender", "eyeglasses": "Eyeglasses"}
ORDER = ("Pose", "Smile", "Age", "Gender", "Eyeglasses")


def _symmetric(upper: dict[tuple[str, str], float]) -> pd.DataFrame:
    frame = pd.DataFrame(1.0, index=ORDER, columns=ORDER)
    for (row, column), value in upper.items():
        frame.loc[row, column] = frame.loc[column, row] = value
    return frame


def _pairs(values: list[float]) -> dict[tuple[str, str], float]:
    pairs = [(row, column) for i, row in enumerate(ORDER) for column in ORDER[i + 1 :]]
    return dict(zip(pairs, values, strict=True))


TABLE_1 = pd.DataFrame(
    {"Validation": [100.0, 96.9, 97.9, 98.7, 95.6], "All": [90.3, 78.5, 75.3, 84.2, 80.1]}, index=list(ORDER)
)
"""Accuracy in per cent on the validation set and on the 480,000 others (PGGAN)."""
TABLE_2 = _symmetric(_pairs([-0.04, -0.06, -0.05, -0.04, 0.04, -0.10, -0.05, 0.49, 0.38, 0.52]))
"""Cosines of the boundaries' normals (PGGAN)."""
TABLE_3 = _symmetric(_pairs([-0.01, -0.01, -0.02, 0.00, 0.02, -0.08, -0.01, 0.42, 0.35, 0.47]))
"""Correlations of the scores (PGGAN)."""
