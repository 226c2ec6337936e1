"""The paper's numbers, and what a page says of them.

Shen et al., Interpreting the Latent Space of GANs for Semantic Face Editing, CVPR 2020.
"""

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


CONDITIONAL = (
    "Strengths are in standard deviations of the faces' distance to the boundary, so that spaces can be compared. "
    "Intervals are of 95 %. The paper expects conditioning to help in Z and to do little in W, where the direction of "
    "age is nearly orthogonal to that of eyeglasses and yet brings them along."
)


def said_table_1(faces: int, margin: float) -> list[str]:
    return [
        f"Accuracy in per cent of a linear boundary; {faces:,} faces. Validation: 30 % of the classes, which are the "
        "highest and the lowest scores; all: every face, labelled by the middle between the highest and the lowest "
        "score, as the public code has it. In brackets 95 % intervals (Wilson).",
        "The paper's 2 % at each end would be few faces here; C and the fraction are those whose normals agree best "
        f"between two halves of the faces, which accuracy hardly shows; of the Cs within {margin:g} of the best "
        "agreement the largest, since the smallest of all agrees with itself whatever it misses.",
    ]


def said_table_2(groups: int, attributes: int) -> str:
    return (
        "Noise lowers cosines: the worse a normal is fitted, the less it seems to have in common with others, and in Z "
        "normals are fitted worse. Corrected for it (Spearman's correction, from the normals of two halves of the "
        f"faces), with 95 % intervals by a jackknife over {groups} groups of faces, the mean of |cosine| over the "
        f"pairs of {attributes} attributes is:"
    )


def said_table_3(faces: int, known: float) -> str:
    return (
        f"Pearson's r over {faces:,} faces; a correlation near 0 is known to within {known:.3f} (95 %, Fisher's z). "
        "The paper finds that directions are as correlated as scores are."
    )
