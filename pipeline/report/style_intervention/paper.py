"""The paper's numbers, and the text about them on the study's page.

Liu et al., Style Intervention: How to Achieve Spatial Disentanglement with Style-based Generators?, 2020.
"""

import pandas as pd

NAMES = {
    "male": "Gender", "old": "Age", "smile": "Smile", "eyeglasses": "Eyeglasses", "mouth_open": "Mouth Open",
    "bangs": "Bangs", "black_hair": "Black Hair", "blond_hair": "Blond Hair", "grey_hair": "Grey Hair",
}  # fmt: skip
"""The paper's attributes that the classifiers here score, by their names here."""
LEFT_OUT = "Asian, Straight Hair and Beard are left out: no classifier here scores them."
TABLE_1 = pd.DataFrame(
    {
        "train": [97.81, 100.0, 100.0, 100.0, 100.0, 93.83, 96.32, 95.48, 100.0],
        "validation": [93.00, 98.14, 97.70, 90.58, 97.59, 85.03, 82.98, 78.54, 94.34],
        "sparsity": [93.60, 98.14, 96.08, 96.92, 94.98, 93.61, 93.64, 93.80, 98.55],
    },
    index=list(NAMES),
)
"""Accuracies and the share of zeros of the normals, in per cent."""
EDITED = ("male", "old", "eyeglasses", "smile")
"""The attributes of Table 2, in its order."""
IN_Z, IN_W, CONDITIONAL, OURS = "moves in z", "moves in w", "InterFaceGAN", "Style Intervention"
METHODS = (IN_Z, IN_W, CONDITIONAL, OURS)
TABLE_2 = {
    "mse": pd.DataFrame(
        [[0.034, 0.015, 0.022, 0.016], [0.018, 0.011, 0.010, 0.016], [0.040, 0.013, 0.013, 0.015],
         [0.015, 0.008, 0.004, 0.003]], index=list(METHODS), columns=list(EDITED)).T,
    "ssim": pd.DataFrame(
        [[0.55, 0.61, 0.59, 0.61], [0.60, 0.64, 0.64, 0.59], [0.55, 0.63, 0.64, 0.62], [0.61, 0.66, 0.72, 0.71]],
        index=list(METHODS), columns=list(EDITED)).T,
    "identity": pd.DataFrame(
        [[75.78, 86.60, 83.81, 92.83], [79.17, 80.89, 90.65, 84.06], [77.83, 89.73, 93.67, 93.05],
         [80.47, 89.37, 94.99, 95.21]], index=list(METHODS), columns=list(EDITED)).T,
}  # fmt: skip
"""By number: a row for each attribute, a column for each method; ID is the confidence of Face++."""
TABLE_2["identity_dlib"] = TABLE_2["identity"]
BEST_IDENTITY = ("male", "eyeglasses", "smile")
"""Where the paper's identity is best: on age InterFaceGAN has 89.73, and theirs 89.37."""
LEAD = (
    "The paper merges a move in latent space with one along a sparse direction of style space, channel by channel, so "
    "that little changes outside the region of the attribute. It edits StyleGAN2 and measures with Face++. Here "
    "generator and classifiers are others. Neither the judge nor the identity networks were used to make an edit. The "
    "squared error was: the intervention minimises it outside the region, a part of the MSE of the whole picture. Its "
    "attribute loss is the share of the sparse move that is made, not the cosine of Eq. 10."
)
