"""The paper's numbers, and the text about them on the study's page.

Yao et al., Learning Non-Linear Disentangling Editing for StyleGAN, ICIP 2021.
"""

from collections.abc import Sequence

import pandas as pd

NAMES = {"old": "Age", "eyeglasses": "Eyeglasses", "male": "Gender", "smile": "Smiling"}
"""The paper's attributes, by their names here, in its order."""
THEIRS, OURS = "InterFaceGAN", "Latent Transformer"
METHODS = (THEIRS, OURS)
DISTANCE, ALPHA = 3.0, 1.25
"""At which the paper compares the two: of InterFaceGAN along its unit normal, and the scaling factor."""
IDENTITY, ATTRIBUTES, ACCURACY = "identity", "attributes", "accuracy"
TABLE_1 = {
    IDENTITY: pd.DataFrame(
        [[76.28, 99.69], [99.53, 99.69], [91.28, 99.23], [99.70, 100.00]], list(NAMES), list(METHODS)
    ),
    ATTRIBUTES: pd.DataFrame(
        [[81.79, 90.65], [86.22, 90.25], [76.91, 86.25], [86.87, 89.58]], list(NAMES), list(METHODS)
    ),
    ACCURACY: pd.DataFrame(
        [[99.90, 98.10], [85.50, 97.10], [98.60, 90.90], [100.00, 100.00]], list(NAMES), list(METHODS)
    ),
}  # fmt: skip
"""In per cent; identity and attributes over the edits that succeeded. A row for each attribute."""
AVERAGE = {IDENTITY: (91.70, 99.65), ATTRIBUTES: (82.95, 89.19), ACCURACY: (96.00, 96.53)}
"""As the paper prints them, by METHODS."""


def average(table: str, attributes: Sequence[str]) -> tuple[float, ...]:
    """Of these attributes, by METHODS; of all four as the paper prints it."""
    if set(attributes) == set(NAMES):
        return AVERAGE[table]
    return tuple(float(mean) for mean in TABLE_1[table].loc[list(attributes)].mean())


LEAD = (
    "The paper trains a transformation of latents for each attribute, T(z, alpha) = z + alpha H(z), through a "
    "classifier of latents, and compares it with InterFaceGAN on StyleGAN2: identity by VGG-Face, attributes by a "
    "ResNet of all 40 attributes of CelebA-HQ, which also made the labels that both methods learned from. Here "
    "generator and classifiers are others. Neither the judge nor the identity networks were used to make an edit, "
    "except that each face goes to the side of the boundary where the judge does not see it; the judge also decides "
    "whether it got there. Differences are the Latent Transformer's number minus that of InterFaceGAN."
)
FOOLED = (
    "A method that moves less keeps more, whatever it is. So both are also compared where they bring as many faces to "
    "the other side: at the lower of the two accuracies at the paper's settings, read off each method's curve over its "
    "strengths."
)
