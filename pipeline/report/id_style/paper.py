"""The paper's numbers, and the text about them on the study's page.

Mohammadbagheri et al., Identity-preserving Editing of Multiple Facial Attributes by Learning Global Edit Directions and
Local Adjustments, 2023.
"""

import pandas as pd

NAMES = {"male": "Gender", "eyeglasses": "Glasses", "old": "Age", "smile": "Smile"}
"""The paper's attributes in its order, by their names here."""
OURS, LINEAR, NON_LINEAR, NOTHING = "ID-Style", "InterFaceGAN", "Latent Transformer", "nothing is done"
TABLE_1 = pd.DataFrame(
    [
        [0.626, 0.653, 0.153, 88.55, 89.4, 94.9, 76.2, 93.6],
        [0.607, 0.664, 0.156, 86.45, 82.1, 86.7, 77.5, 99.3],
        [0.650, 0.640, 0.200, 72.41, 70.2, 61.7, 82.6, 75.0],
        [0.686, 0.757, 0.105, 96.73, 94.9, 97.7, 94.6, 99.6],
        [0.685, 0.761, 0.105, 96.67, 94.9, 98.2, 94.1, 99.4],
    ],
    index=["ISF-GAN in W", "InterFaceGAN in W", "StyleFlow in W", "ID-Style in W", "ID-Style in W+"],
    columns=["ssim", "identity", "perceptual", "mACC", *NAMES],
)
"""Accuracies in per cent; its W+ rows of other methods, and FID, are left out."""
TABLE_2 = pd.DataFrame(
    [[16_327_168, 26.0], [1_691_649, 621.0], [793_946, 2.0]],
    index=["ISF-GAN", "StyleFlow", OURS], columns=["parameters", "milliseconds"],
)  # fmt: skip
WHOLE = "A: ID-Style"
TABLE_3 = pd.DataFrame(
    [[0.761, 0.105, 96.67], [0.756, 0.102, 95.82], [0.778, 0.104, 95.98], [0.774, 0.104, 96.36],
     [0.747, 0.108, 96.00], [0.801, 0.121, 88.51]],
    index=[WHOLE, "B: without L_direction", "C: without L_sparsity", "D: without the mixer",
           "E: without input positions", "F: without the layer embedding"],
    columns=["identity", "perceptual", "mACC"],
)  # fmt: skip
FACE_EDITS = 800_000
"""Of the paper's training: 100,000 steps of 2 faces, each edited in 4 attributes."""
ANGLES = (80.0, 97.0)
"""Between which the angles of its global directions lie, in degrees (Fig. 4)."""
ENOUGH = 150
"""Entries of a layer beyond which its edits do not change (Fig. 9)."""
STRENGTH = 3.0
"""How far InterFaceGAN moves in w."""
ALPHA = 1.25
"""The scaling factor of the Latent Transformer's paper."""
METHOD = (
    "The paper learns a sparse direction for each attribute and a network that scales its entries for each face, by "
    "losses on pictures, one of which keeps the identity. It edits StyleGAN2 and measures with ArcFace; here "
    "generator, classifiers and identity networks are others. The training differs in more than its length, where its "
    "flags do not say otherwise: Eq. 8 is divided by the root of the number of layers, D of Eq. 9 is the sigmoid of 3 "
    "times the score, and directions start from normals of linear SVMs. The judge chose only "
    "the side to which toggles go; dlib's network had no part in training or editing."
)
NO_FID = "FID is left out: no network here stands in for its Inception."


def lead(face_edits: int | None) -> str:
    """The first paragraph; how far the training fell short comes first. face_edits: none where that is not known."""
    if face_edits is None:
        return f"How many faces the training edited is not known; the paper's edited {FACE_EDITS:,}. {METHOD}"
    share = face_edits / FACE_EDITS
    if share >= 1:
        return f"The training edited {face_edits:,} faces, no fewer than the paper's {FACE_EDITS:,}. {METHOD}"
    return (
        f"The training edited {face_edits:,} faces, {100 * share:.2g} % of the paper's {FACE_EDITS:,}: what is said "
        f"here is about so short a training, and a longer one may do better or worse. {METHOD}"
    )
