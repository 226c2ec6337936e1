"""What fits came to: a line for each direction on the screen, and one warning about those that prove nothing."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.directions import Direction
from pipeline.directions.lookup import by_name
from pipeline.directions.svm import features
from pipeline.engine.books import Books
from pipeline.engine.derived import DerivedFile
from pipeline.engine.job import Job
from pipeline.report.directions import DOUBTS
from pipeline.stages.direction_rows import read_directions
from pipeline.stages.fit import HALF, NEXT_BEST, UNCONVERGED, FitStage
from pipeline.tables import Table, store

AGREE = 0.3
"""Least cosine of the normals of two halves; shuffled scores came to 0.25."""
FEW = 50
"""Rows of the smaller class that an SVM is fitted on."""
ABOVE_CHANCE = 0.05
"""Least share of the held-out rows on the right side above one half; two standard errors, where these are more."""
SHOWN = 20


@dataclass(frozen=True, eq=False)
class Fitted:
    """A direction, the name that chooses it, and the agreement of two halves where C or the fraction was chosen."""

    name: str
    direction: Direction
    agreement: float | None


def read_fits(url: str) -> list[Fitted]:
    """The directions of a table, with what the table of grids beside it says of their choice.

    Raises:
        SpecError: it is a table of something else.
        StoreError: it cannot be read.
    """
    found = read_directions(Table.open(url))
    grids = Table(store.join(url.rstrip("/").rpartition("/")[0], "grids"))
    cells = grids.read().to_pylist() if grids.manifest() is not None else []
    return [
        Fitted(name, direction, _agreement(direction, [cell for cell in cells if cell["index"] == number]))
        for number, (name, direction) in enumerate(by_name(found).items())
    ]


def doubts_file(job: Job, stage: FitStage) -> DerivedFile:
    """The fits that prove nothing, for the screen and the page."""

    def content() -> bytes:
        fits = read_fits(store.join(job.out, "directions"))
        doubts = {fit.name: why for place, fit in enumerate(fits) if (why := _doubt(stage, place, fit))}
        return store.canonical_json({"fingerprint": job.fingerprint, "doubts": doubts})

    return DerivedFile(DOUBTS, content, tuple(stage.outputs))


def report_fits(job: Job) -> Iterator[str]:
    """Lines for the screen, once the directions of the job are complete."""
    if not job.is_sealed("directions"):
        return
    yield from lines(read_fits(store.join(job.out, "directions")))
    if not job.derived:
        return
    if doubts := (store.read_json(store.join(job.out, DOUBTS)) or {}).get("doubts"):
        said = "; ".join(f"{name} ({why})" for name, why in doubts.items())
        yield f"Warn  hardly to be relied on: {said}. More rows, or other scores, may mend it"
    counters = [outcome.counters for outcome in Books(job.out, job.verb).outcomes().values()]
    if other := sum(NEXT_BEST in one for one in counters):
        yield f"Note  {other} of the directions: on all rows the best C has no hyperplane, and the next best was taken"
    if any(UNCONVERGED in one for one in counters):
        yield "Note  the SVM ended at its limit of passes, near the best hyperplane: a smaller --C comes to its end"


def lines(fits: list[Fitted]) -> Iterator[str]:
    """One for each direction."""
    width = max((len(fit.name) for fit in fits[:SHOWN]), default=0)
    for fit in fits[:SHOWN]:
        if facts := ", ".join(_facts(fit)):
            yield f"      {fit.name:<{width}}  {facts}"
    if len(fits) > SHOWN:
        yield f"      and {len(fits) - SHOWN:,} more"


def _facts(fit: Fitted) -> Iterator[str]:
    one = fit.direction
    for part, share in one.accuracies.items():
        if part in ("validation", "all"):
            yield f"{part} {100 * share:.0f} %"
    if fit.agreement is not None:
        yield f"two halves agree {fit.agreement:.2f}"
    if one.rows is not None:
        yield f"{one.rows:,} rows"
    if one.C is not None:
        yield f"C {one.C:g}"


def _agreement(direction: Direction, cells: list[dict[str, Any]]) -> float | None:
    """Of the chosen C, at the chosen fraction or the one that was raised to the least rows."""
    same = [cell for cell in cells if cell["C"] == direction.C]
    if direction.fraction is not None and len(same) > 1:
        same = [min(same, key=lambda cell: abs(cell["fraction"] - (direction.fraction or 0.0)))]
    return same[0]["agreement"] if same else None


def _doubt(stage: FitStage, place: int, fit: Fitted) -> str:
    """Why a direction proves nothing; empty where it does."""
    how, attribute = stage.how_of(stage.attributes[place]), stage.attributes[place]
    scores_N, one = stage.scores[:, place], fit.direction
    fraction = 0.02 if how.as_released else one.fraction or HALF
    classes = how.classes(scores_N, fraction)
    kept, smaller = classes.validation, int(min(classes.train.positive.sum(), (~classes.train.positive).sum()))
    right = one.accuracies.get("validation")
    if how.by_threshold and len(kept) and 0 < kept.positive.sum() < len(kept):
        rows_ND = features(stage.rows.codes(), stage.rows.per_layer)[kept.rows]
        found = (rows_ND @ one.vector.astype(np.float64).ravel() + one.intercept > 0) == kept.positive
        right = float((found[kept.positive].mean() + found[~kept.positive].mean()) / 2)
    if right is not None and len(kept):
        sizes = np.array([kept.positive.sum(), (~kept.positive).sum()]).clip(1)
        chance = HALF + max(ABOVE_CHANCE, float(np.sqrt((0.25 / sizes).sum())))
        if right < chance:
            weights = ", --class-weight balanced may help" if how.by_threshold and not how.balanced else ""
            return f"{100 * right:.0f} % of each class kept aside on its side, by chance 50 %{weights}"
    if fit.agreement is not None and fit.agreement < AGREE:
        return f"two halves of the rows agree {fit.agreement:.2f} of 1"
    return f"fitted on {smaller} rows of {attribute} in the smaller class" if smaller < FEW else ""
