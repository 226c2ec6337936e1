"""Strips of pictures: each face to the other side of each attribute by each method, and several at once (Fig. 5, 6)."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from pipeline.report import study, wording
from pipeline.report.id_style.paper import NAMES
from pipeline.report.pictured import pictured
from pipeline.stage_names import AND
from pipeline.tables import Table, store
from schemas.edits import JUDGE

LETTERS = {"male": "G", "eyeglasses": "Gl", "old": "A", "smile": "S"}
"""The paper's, where it edits several at once."""


def toggles(folders: Mapping[str, str], judged: pd.DataFrame) -> study.Section:
    """Of each face a strip for each method: the source, and each attribute taken to the side where it is not.

    folders: by method, of edits to one side or to both. judged: scores of the sources, by face.

    Raises:
        StoreError: a table is not there, or not complete.
    """
    kept = {method: _rows(folder) for method, folder in folders.items()}
    strips = []
    for face in kept[next(iter(kept))]["index"].unique():
        for method, rows in kept.items():
            its = rows[rows["index"] == face]
            looks = [_source(its)]
            for attribute, name in NAMES.items():
                there = judged[attribute][face] > 0
                moved = its[
                    (its["attribute"] == attribute) & ((its["strength"] < 0) if there else (its["strength"] > 0))
                ]
                looks += [
                    _look(row, [attribute], f"{name} {'−' if there else '+'}") for row in moved.to_dict("records")
                ]
            strips.append(study.Strip(f"Face {face}: {method}", looks))
    sentence = (
        "The first faces, each edited in one attribute at a time, away from it where the judge sees it in the source "
        "(−) and else towards it (+), as far as the papers go; below each the judge's score of that attribute, which "
        "is 0 at the boundary; below the source those of all."
    )
    return study.Section("Faces: one attribute at a time (Fig. 5)", [sentence], strips)


def together(folder: str) -> study.Section:
    """Of each face the source, each attribute alone, and several at once. Raises StoreError."""
    rows = _rows(folder)
    strips = []
    for face, its in rows.groupby("index"):
        looks = [_source(its)]
        for row in its[its["step"] > 0].sort_values("request").to_dict("records"):
            attributes = row["attribute"].split(AND)
            looks.append(_look(row, attributes, " + ".join(LETTERS[name] for name in attributes)))
        strips.append(study.Strip(f"Face {face}", looks))
    letters = ", ".join(f"{letter} {NAMES[name].lower()}" for name, letter in LETTERS.items())
    sentence = (
        f"Faces with few of the attributes, moved towards them: one at a time, then several at once ({letters}). Each "
        "number of a code moves as far as that attribute takes it which moves it most (Eq. 12); nothing was trained "
        "for that."
    )
    return study.Section("Faces: several attributes at once (Fig. 6)", [sentence], strips)


def _rows(folder: str) -> pd.DataFrame:
    """The kept steps with the attribute of their request."""
    requests = Table.open(store.join(folder, "requests")).read(columns=["attribute"])["attribute"].to_pylist()
    rows = pictured(folder, [JUDGE + name for name in NAMES])
    return rows.assign(attribute=[requests[request] for request in rows["request"]])


def _source(rows: pd.DataFrame) -> study.Look:
    """With the scores of all attributes."""
    row = rows[rows["step"] == 0].iloc[0]
    return study.Look(row["picture"], "source", {LETTERS[name]: wording.score(row[JUDGE + name], 1) for name in NAMES})


def _look(row: Mapping[Any, Any], attributes: list[str], words: str) -> study.Look:
    scores = {LETTERS[name]: wording.score(row[JUDGE + name], 1) for name in attributes}
    return study.Look(row["picture"], words, scores, list(scores))
