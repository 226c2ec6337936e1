"""The paper's numbers, and the text about them on a study's page.

Han et al., Disentangled Face Attribute Editing via Instance-Aware Latent Space Search, IJCAI 2021.
"""

from dataclasses import dataclass

import pandas as pd

from pipeline.metrics import Cell

_SHARES = (0.0, 0.25, 0.5, 0.75, 1.0)
_ROWS = (
    (0.8393, 0.8454, 0.8445, 0.8444, 0.8302),
    (0.8717, 0.8675, 0.8684, 0.8706, 0.8463),
    (0.8882, 0.8889, 0.8886, 0.8922, 0.8660),
    (0.9025, 0.8992, 0.9010, 0.9003, 0.8742),
    (0.8999, 0.9003, 0.9006, 0.9013, 0.8662),
)
TABLE_1: dict[Cell, float] = {
    (lambda1, lambda2): mean
    for lambda1, row in zip(_SHARES, _ROWS, strict=True)
    for lambda2, mean in zip(_SHARES, row, strict=True)
}
"""Mean AUC of all DT curves by (lambda1, lambda2); 12 ordered pairs, StyleGAN, w."""
CHOICE: Cell = (0.75, 0.0)
"""The paper's."""
KEEPS_WELL = (0.75, 0.75)
"""The cells that the paper finds better than (1, 1), its plateau: lambda1 of this or more, lambda2 of this or less."""


LEAD = (
    "The paper moves each face along its own gradients, mixed with a direction that all faces share, and finds that "
    "this changes an attribute with less change of another than the shared direction alone, which is cell (1, 1). The "
    "paper has StyleGAN, ResNets and 12 pairs; here generator and classifiers are others, and edits are measured by "
    "classifiers that were not used to make them."
)
STEPS = "By default the length of a step is that with which (1, 1) changes nine of ten faces, chosen on separate faces."


@dataclass(frozen=True)
class Variant:
    """A variant of the method (an ablation): the text of its section, and the paper's claim about it.

    names: of the method and of the variant. better: whether the claim is that the variant is better, else worse.
    """

    heading: str
    claim: str
    paper: str
    names: tuple[str, str]
    better: bool
    lead: str


KEPT = Variant(
    "Incremental updating (Sec. 3.3, Fig. 4)",
    "Keeping the direction found at the source is worse than updating it at each step",
    "worse",
    ("updated", "kept"),
    False,
    "At (0.75, 0): the direction is updated at each step, or that found at the source is kept for all steps, which in "
    "the paper's pictures is clearly worse. Both edit the same faces. Differences are of the mean of q over the range "
    "of p that both reach, kept minus updated, with 95 % intervals of a paired bootstrap.",
)
MEANS = Variant(
    "Attribute-level directions: SVM or mean of gradients",
    "Means of gradients do as well as the normals of SVMs",
    "as well",
    ("SVM", "gradients"),
    True,
    "In the paper's pictures means of gradients are about as good as the normals of SVMs. Here the means are over the "
    "labelled faces that lack the attribute; the differences are gradients minus SVM, as above.",
)


def plateau(areas: pd.DataFrame, judge: str) -> pd.DataFrame:
    """Rows of `dt_auc` of the cells of the plateau, by the judge."""
    first, second = KEEPS_WELL
    return areas[(areas["lambda1"] >= first) & (areas["lambda2"] <= second) & (areas["family"] == judge)]
