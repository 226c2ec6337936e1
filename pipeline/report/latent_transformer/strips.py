"""Strips of the study: one attribute at several strengths (Fig. 3), and edits one after the other (Fig. 4)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from pipeline.report import study, wording
from pipeline.report.edit_means import in_order
from pipeline.report.latent_transformer.paper import METHODS, NAMES, OURS
from pipeline.report.latent_transformer.toggled import SETTINGS
from pipeline.report.pictured import pictured
from pipeline.report.sequences import Kept
from pipeline.report.toggles import Toggles
from schemas.edits import JUDGE


def scaling(
    attribute: str, folders: Mapping[str, Sequence[tuple[str, bool]]], toggles: Mapping[str, Toggles], faces: int
) -> study.Section:
    """Both methods' edits of the first faces that are to have the attribute, at all strengths.

    folders, toggles: by method, of that attribute.
    """
    shown = [face for face, to in zip(toggles[OURS].faces.tolist(), toggles[OURS].targets, strict=True) if to][:faces]
    if not shown:
        shown = toggles[OURS].faces[:faces].tolist()
    name = JUDGE + attribute
    rows = {method: pd.concat([pictured(folder, [name]) for folder, _ in its]) for method, its in folders.items()}
    parts = [
        study.Strip(f"{method}: face {face}", [
            _look(row, "source" if row["step"] == 0 else wording.score(row["strength"]), attribute)
            for _, row in in_order(rows[method][rows[method]["index"] == face]).iterrows()
        ])
        for face in shown for method in METHODS
    ]  # fmt: skip
    sentence = (
        f"{NAMES[attribute]} at growing strengths, the source on the left: distances along the normal of InterFaceGAN, "
        "and alpha of the Latent Transformer. Below each picture the judge's score of the attribute, in standard "
        "deviations: above 0 it is seen."
    )
    return study.Section("Scaling strips (Fig. 3)", [sentence], parts)


def in_turn(made: Sequence[Kept], stages: Sequence[tuple[str, bool]], faces: Sequence[int]) -> study.Section:
    """Edits one after the other of these faces, by both methods at the paper's settings.

    made: of all methods and strengths.
    """
    names = [attribute for attribute, _ in stages]
    parts = []
    for face in faces:
        for method in METHODS:
            its = [one for one in made if one.method == method and one.strength == SETTINGS[method]]
            parts.append(study.Strip(f"{method}: face {face}", list(_stages(its, names, face))))
    words = ", then ".join(f"{attribute}{'' if to else ' off'}" for attribute, to in stages)
    sentence = (
        f"{words}: each edit on top of the one before, at the paper's settings, the source on the left. Between two "
        "pictures only what stands below the second one is to change."
    )
    return study.Section("Sequential strips (Fig. 4)", [sentence], parts)


def _stages(made: Sequence[Kept], names: Sequence[str], face: int) -> Iterator[study.Look]:
    for place, one in enumerate(sorted(made, key=lambda kept: kept.edits)):
        frame = pictured(one.folder)
        pictures = frame[frame["index"] == face].set_index("step")["picture"].to_dict()
        if place == 0:
            yield study.Look(pictures[0], "source")
        yield study.Look(pictures[one.step], names[one.edits - 1])


def _look(row: "pd.Series[Any]", words: str, attribute: str) -> study.Look:
    return study.Look(row["picture"], words, {"judge": wording.score(row[JUDGE + attribute], 1)}, ["judge"])
