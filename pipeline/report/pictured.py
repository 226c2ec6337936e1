"""Pictures that `stylemill edit --images` has kept, as strips of a study's page."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from pipeline.report import study, wording
from pipeline.report.edit_means import in_order
from pipeline.tables import Table, store


def pictured(url: str, scores: Sequence[str] = ()) -> pd.DataFrame:
    """The kept steps of a folder of edits: index, request, step, strength, scores, and `picture`, encoded.

    Raises:
        StoreError: a table is not there, or not complete.
    """
    pictures = Table.open(store.join(url, "edit_images")).read()
    edits = Table.open(store.join(url, "edits")).read(columns=["index", "request", "step", "strength", *scores])
    return edits.to_pandas().assign(picture=[row["bytes"] for row in pictures["image"].to_pylist()])


def strips(url: str, what: str, faces: int, request: int = 0, scores: Sequence[str] = ()) -> list[study.Strip]:
    """Of each of the first faces the source, on the left, and its steps in the order of their strengths."""
    frame = pictured(url, scores)
    by_face = list(frame[frame["request"] == request].groupby("index"))[:faces]
    return [
        study.Strip(f"{what}: face {index}", [_look(row, scores) for _, row in in_order(rows).iterrows()])
        for index, rows in by_face
    ]


def _look(row: "pd.Series[Any]", scores: Sequence[str]) -> study.Look:
    words = "source" if row["step"] == 0 else wording.score(row["strength"])
    return study.Look(row["picture"], words, {name: wording.score(row[name], 1) for name in scores}, scores)
