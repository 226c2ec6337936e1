"""The latent classifier C beside a linear one: its section of the study's page, and its claims.

Shapes: N faces.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.card import parts_of_metric
from pipeline.metrics.told_apart import FIGURES, f1_difference, figures
from pipeline.report import study
from pipeline.report.claims import Claim, of_difference

NETWORK, LINEAR = "C", "linear"


@dataclass(frozen=True, eq=False)
class Told:
    """Of one attribute, (N,) each: which faces have it by the labels, by C, and by a linear classifier."""

    true: NDArray[np.bool_]
    network: NDArray[np.bool_]
    linear: NDArray[np.bool_]


def claims(found: Mapping[str, Told], names: Mapping[str, str]) -> list[Claim]:
    """Is F1 of C better than that of a linear classifier?"""
    about = "A classifier of three layers tells attributes from latents better than a linear one (F1)"
    made = []
    for name, one in found.items():
        have = f"{int(one.true.sum())} of {len(one.true)} faces have it"
        more = f1_difference(one.true, one.network, one.linear)
        what = f"{names.get(name, name)}: F1, C less linear ({have})"
        made.append(of_difference(about, what, "better", more, better=True))
    return made


def section(found: Mapping[str, Told], metrics: Mapping[str, float], learned: str) -> study.Section:
    """What both say of new faces, and the figures of the card. learned: on what the linear one learned, in words."""
    sentences = [
        "C is a network of three linear layers with ReLU, which tells all attributes from a latent; transformations "
        f"are trained through it. The linear classifiers are logistic regressions, {learned}. The paper says that "
        "precision, recall and F1 of C are higher than those of a linear layer, and concludes that the linear "
        "hypothesis is not appropriate; it prints no numbers.",
    ]
    parts = []
    if found:
        rows = {
            name: _row(figures(one.true, one.network), figures(one.true, one.linear)) for name, one in found.items()
        }
        faces = len(next(iter(found.values())).true)
        parts.append(study.Grid(f"On {faces:,} other faces", pd.DataFrame.from_dict(rows, orient="index"), digits=3))
    if on_card := _of_card(metrics):
        caption = "On the held-out rows of the training, from the card of the artifact"
        parts.append(study.Grid(caption, pd.DataFrame.from_dict(on_card, orient="index"), digits=3))
    return study.Section("The latent classifier: three layers or one?", sentences, parts)


def _row(network: Mapping[str, float], linear: Mapping[str, float]) -> dict[str, float]:
    return {f"{figure}, {who}": told.get(figure, np.nan) for figure in FIGURES
            for who, told in ((NETWORK, network), (LINEAR, linear))}  # fmt: skip


def _of_card(metrics: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """By attribute, of both."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for name, number in metrics.items():
        if (parts := parts_of_metric(name)) is not None and parts[0] in ("classifier", "linear"):
            found.setdefault(parts[1], {}).setdefault(parts[0], {})[parts[2]] = number
    return {name: _row(its.get("classifier", {}), its.get("linear", {})) for name, its in found.items()}


def asked(metrics: Mapping[str, float]) -> Sequence[str]:
    """Attributes that C of this card tells, in its order."""
    parts = (parts_of_metric(name) for name in metrics)
    return list(dict.fromkeys(one[1] for one in parts if one is not None and one[0] == "classifier"))
