"""Directions of labelled faces: how they were fitted, how alike they are, and what noise makes of that."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from jobs.flags import say
from jobs.reproduce.faces import LabelledFaces, fitted_in
from jobs.reproduce.study import cached
from pipeline.directions import Direction
from pipeline.directions.compare import Correlations
from pipeline.directions.reliability import Noise, jackknifed_entanglement
from pipeline.metrics import intervals
from pipeline.models.codes import Space
from pipeline.report import study
from pipeline.tables import Table, store

Cells = Mapping[str, tuple["pd.Series[float]", "pd.Series[float]"]]


def said_accuracy(found: Direction, part: str, labelled: int) -> str:
    """In per cent, with Wilson's interval; part: validation or all."""
    rate, rows = found.accuracies[part], labelled if part == "all" else round((found.rows or 0) * 3 / 7)
    low, high = intervals.of_rate(rate * rows, rows)
    return f"{100 * rate:.1f} ({100 * low:.1f} to {100 * high:.1f})"


def choices(folder: str, attributes: Sequence[str]) -> Cells:
    """Of the grid that C of each attribute was chosen from, the cell of the highest agreement and the one taken."""
    grids = Table.open(store.join(folder, "grids")).read().to_pandas()
    found = {}
    for name, direction in fitted_in(folder, attributes).items():
        own = grids[grids["attribute"] == name]
        most = own.loc[own["agreement"].idxmax()]
        taken = own[np.isclose(own["C"], direction.C or 0.0) & (own["fraction"] == most["fraction"])].iloc[0]
        found[name] = (most, taken)
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


def matrix(caption: str, found: Correlations, names: Mapping[str, str]) -> study.Grid:
    """Cosines or correlations, by what a page calls the attributes."""
    shown = [names.get(name, name) for name in found.names]
    return study.Grid(caption, pd.DataFrame(found.values, index=shown, columns=shown), shaded=True)


def cosine_grid(folders: tuple[str, str], attributes: Sequence[str]) -> study.Grid:
    """Of the directions of two folders, that of each attribute."""
    first, second = (fitted_in(folder, attributes) for folder in folders)
    cosines = {
        name: float(np.dot(*(one[name].vector.astype(np.float64).ravel() for one in (first, second))))
        for name in attributes
    }
    return study.Grid("Cosine of the two directions of an attribute", pd.DataFrame([cosines], index=["cosine"]))


def jackknifed(faces: LabelledFaces, space: Space, attributes: Sequence[str], groups: int, url: str) -> list[float]:
    """Entanglement behind the noise, of all faces, then without each of some groups; empty where it is all noise.

    It takes minutes, and so is kept at `url`.
    """

    def made() -> dict[str, list[float]]:
        found = faces.directions(space, attributes)
        try:
            return {"means": jackknifed_entanglement(faces.codes(space), faces.scores(attributes), found, groups)}
        except Noise as error:
            say(f"Note  in {space} {error}")
            return {"means": []}

    say(f"      halves of the faces in {space}")
    of = {"directions": Table.open(faces.fitted(space)).digest, "attributes": list(attributes), "groups": groups}
    return cached(url, of, made)["means"]


def said_jackknifed(means: Sequence[float]) -> str:
    """With its interval."""
    if not means:
        return "not to be said, since two halves of the faces do not agree on every attribute at all"
    low, high = intervals.of_jackknife(means[0], means[1:])
    return f"{means[0]:.3f} ({low:.3f} to {high:.3f})"
