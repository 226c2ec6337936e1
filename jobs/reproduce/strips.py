"""Faces of a folder of edits with their pictures, from which strips are made."""

from collections.abc import Sequence

import pandas as pd

from pipeline.tables import Table, store


def pictured(url: str, scores: Sequence[str] = ()) -> pd.DataFrame:
    """The kept steps of `stylemill edit --images`: index, request, step, strength, the scores, and `picture`, encoded.

    Raises:
        StoreError: a table is not there, or not complete.
    """
    pictures = Table.open(store.join(url, "edit_images")).read()
    edits = Table.open(store.join(url, "edits")).read(columns=["index", "request", "step", "strength", *scores])
    return edits.to_pandas().assign(picture=[row["bytes"] for row in pictures["image"].to_pylist()])
