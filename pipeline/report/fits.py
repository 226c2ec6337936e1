"""Directions of labelled faces on a study's page: how they were fitted, and how alike they are."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.metrics import intervals
from pipeline.report import study
from pipeline.tables import Table, store
from pipeline.tables.frames import read_frame

Cells = Mapping[str, tuple["pd.Series[float]", "pd.Series[float]"]]
"""By attribute the cell of the highest agreement, and the one that was taken."""


def fitted(folder: str, attributes: Sequence[str]) -> pd.DataFrame:
    """The rows of DIR/directions of these attributes, by attribute. Raises StoreError."""
    return read_frame(store.join(folder, "directions")).set_index("attribute").loc[list(attributes)]


def said_accuracy(found: "pd.Series[float]", part: str, labelled: int) -> str:
    """In per cent, with Wilson's interval; part: validation or all."""
    rate, rows = found[f"accuracy_{part}"], labelled if part == "all" else round(found["rows"] * 3 / 7)
    low, high = intervals.of_rate(rate * rows, rows)
    return f"{100 * rate:.1f} ({100 * low:.1f} to {100 * high:.1f})"


def choices(folder: str, attributes: Sequence[str]) -> Cells:
    """Of the grid that C of each attribute was chosen from. Raises StoreError."""
    grids = Table.open(store.join(folder, "grids")).read().to_pandas()
    found = {}
    for name, direction in fitted(folder, attributes).iterrows():
        own = grids[grids["attribute"] == name]
        most = own.loc[own["agreement"].idxmax()]
        taken = own[np.isclose(own["C"], direction["C"]) & (own["fraction"] == most["fraction"])].iloc[0]
        found[str(name)] = (most, taken)
    return found


def chosen_from(caption: str, cells: Cells, names: Mapping[str, str]) -> study.Grid:
    """What C was chosen from."""
    rows = {
        names.get(name, name): [
            f"{cell['C']:g}: agreement {cell['agreement']:.3f}, validation {100 * cell['validation']:.1f} %"
            for cell in both
        ]
        for name, both in cells.items()
    }
    return study.Grid(caption, pd.DataFrame.from_dict(rows, orient="index", columns=["most agreement", "taken"]))


def learning_curve(caption: str, cells: Mapping[int, Cells], attributes: Sequence[str]) -> study.Curves:
    """Agreement of two halves of so many faces, of the cell that was taken."""
    lines = {
        name: pd.DataFrame({"x": list(cells), "y": [found[name][1]["agreement"] for found in cells.values()]})
        for name in sorted(attributes)
    }
    return study.Curves(caption, "faces", "agreement", lines)


def matrix(caption: str, values_AA: NDArray[np.float64], names: Sequence[str]) -> study.Grid:
    """Cosines or correlations of A attributes."""
    return study.Grid(caption, pd.DataFrame(values_AA, index=list(names), columns=list(names)), shaded=True)


def cosine_grid(folders: tuple[str, str], attributes: Sequence[str]) -> study.Grid:
    """Of the directions of two folders, that of each attribute."""
    first, second = (fitted(folder, attributes)["vector"] for folder in folders)
    cosines = {name: float(np.dot(*(one[name].astype(np.float64) for one in (first, second)))) for name in attributes}
    return study.Grid("Cosine of the two directions of an attribute", pd.DataFrame([cosines], index=["cosine"]))


def said_jackknifed(means: Sequence[float]) -> str:
    """A mean over all faces with its jackknife interval. means: over all, then without each of some groups; may be
    empty.
    """
    if not means:
        return "not known, since for some attribute the directions of two halves of the faces do not agree at all"
    low, high = intervals.of_jackknife(means[0], means[1:])
    return f"{means[0]:.3f} ({low:.3f} to {high:.3f})"
