"""How good the networks of a Latent Transformer are, on rows that nothing was learned from, as the networks see it.

Shapes: N rows, A attributes of C, J of T.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.editors.latent_transformer.networks import LatentClassifier, LayerTransformers, Transformers
from pipeline.metrics.told_apart import figures

MEANINGS = {
    "classification": "binary cross-entropy: of the classifier and the labels; of a moved latent and the side that "
    "is wanted (Eq. 2)",
    "attribute": "how much the classifier sees the other attributes change (Eq. 3)",
    "reconstruction": "how far latents are moved (Eq. 4)",
    "accuracy": "share of rows that are put on the right side of the boundary",
    "precision": "of the rows that are said to have the attribute, the share that have it",
    "recall": "of the rows that have the attribute, the share that are said to",
    "f1": "harmonic mean of precision and recall",
    "reached": "share of rows whose attribute the latent classifier sees changed: by step at the alpha of training, "
    "in the figures at alpha 1.25",
    "kept": "share of the other attributes that the latent classifier sees unchanged, over all rows",
    "distance": "mean L2 distance by which latents are moved",
}
TEST_ALPHA = 1.25
"""At which the paper compares edits, and the figures of a card are taken."""

Figures = dict[str, dict[str, float]]
"""By attribute and name."""


@torch.no_grad()
def of_classifier(classifier: LatentClassifier, codes: Tensor, has_NA: Tensor, attributes: Sequence[str]) -> Figures:
    """accuracy, precision, recall and f1 of C, of the attributes that some of these rows have and some have not.

    has_NA: whether the rows have the attributes.
    """
    told_NA = (classifier(codes.flatten(1)) > 0).cpu().numpy()
    true_NA = has_NA.cpu().numpy()
    return {attributes[place]: figures(true_NA[:, place], told_NA[:, place], 0.0) for place in _judged(true_NA)}


def of_linear(learned: tuple[Tensor, Tensor], codes: Tensor, has_NA: Tensor, attributes: Sequence[str]) -> Figures:
    """The same of a linear classifier beside C: scikit-learn's logistic regression, fitted to its end.

    learned: codes and whether they have the attributes, of the rows that C learned from.
    """
    from sklearn.linear_model import LogisticRegression

    codes_ND, learned_NA = learned[0].flatten(1).cpu().numpy(), learned[1].cpu().numpy()
    told_ND, true_NA = codes.flatten(1).cpu().numpy(), has_NA.cpu().numpy()
    found = {}
    for place in _judged(true_NA):
        said_N = LogisticRegression(max_iter=1000).fit(codes_ND, learned_NA[:, place]).predict(told_ND)
        found[attributes[place]] = figures(true_NA[:, place], said_N, 0.0)
    return found


@torch.no_grad()
def of_transformers(
    transformers: Transformers | LayerTransformers,
    classifier: LatentClassifier,
    codes: Tensor,
    places_J: Tensor,
    targets: Sequence[str],
) -> Figures:
    """What T does at alpha 1.25 to the other side: reached, kept and distance, as in MEANINGS; no kept where C tells
    no other attribute.

    places_J: of the targets among the attributes of C.
    """
    before_NA = classifier(codes.flatten(1))
    found = {}
    for place, name in enumerate(targets):
        target = int(places_J[place])
        side_N = torch.where(before_NA[:, target] > 0, -1.0, 1.0).to(codes)
        moved = transformers.at(place, codes, TEST_ALPHA * side_N)
        same_NA = (classifier(moved.flatten(1)) > 0) == (before_NA > 0)
        others = [other for other in range(before_NA.shape[1]) if other != target]
        found[name] = {
            "reached": float((~same_NA[:, target]).double().mean()),
            **({"kept": float(same_NA[:, others].double().mean())} if others else {}),
            "distance": float((moved - codes).flatten(1).norm(dim=1).double().mean()),
        }
    return found


def _judged(true_NA: NDArray[np.bool_]) -> list[int]:
    """Places of the attributes that some rows have and some have not."""
    return [place for place, true_N in enumerate(true_NA.T) if 0 < true_N.sum() < len(true_N)]
