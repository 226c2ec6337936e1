"""The directions of a table as they are listed: the names that choose them, and what is known of their fits."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pipeline.direction_names import numbered
from pipeline.report import wording
from pipeline.tables import Table, store
from schemas.directions import ACCURACIES


@dataclass(frozen=True)
class Listed:
    """One direction, as the columns of the table say; None where they say nothing.

    name: by which it is chosen: `old|male`, or `old#3`, with its row, where several are named old. agreement: cosine of
    the directions of two halves of the rows, where C or the fraction was chosen. channels: how many style channels it
    moves, where that is told (sparse directions).
    """

    index: int
    name: str
    attribute: str
    conditions: list[str]
    space: str
    shape: list[int]
    method: str
    C: float | None
    fraction: float | None
    rows: int | None
    accuracies: dict[str, float]
    agreement: float | None
    intercept: float
    generator: str | None
    classifier: str | None
    channels: int | None = None

    @property
    def sparsity(self) -> float | None:
        """Share of its numbers that are 0, where that is told."""
        return None if self.channels is None else 1 - self.channels / math.prod(self.shape)


def listed(url: str) -> list[Listed]:
    """The directions of a table, with what the table of grids beside it says of their choice. Raises StoreError."""
    table, grids = Table.open(url), Table(store.join(store.parent(url), "grids"))
    rows = table.read([name for name in table.schema.arrow.names if name != "vector"]).to_pylist()
    cells = grids.read().to_pylist() if grids.parts() else []
    moved = channels_of(url)
    counts = None if moved is None else moved["index"].value_counts()
    names = ["|".join([row["attribute"], *filter(None, [",".join(row["conditions"])])]) for row in rows]
    return [_listed(row, name, cells, counts) for row, name in zip(rows, numbered(names), strict=True)]


def frame_of(directions: Sequence[Listed]) -> pd.DataFrame:
    """What is known of their fits, a row each, by name; no column of which nothing is known."""
    frame = pd.DataFrame(
        {
            "space": [one.space for one in directions],
            "method": [one.method for one in directions],
            "rows": [one.rows for one in directions],
            **{part: [_share(one.accuracies.get(part)) for one in directions] for part in ACCURACIES},
            "agreement": [one.agreement for one in directions],
            "C": [_plain(one.C) for one in directions],
            "class share": [_plain(one.fraction) for one in directions],
            "channels": [one.channels for one in directions],
            "zeros": [_share(one.sparsity) for one in directions],
        },
        index=[one.name for one in directions],
    )
    return frame.dropna(axis="columns", how="all")


def channels_of(url: str) -> pd.DataFrame | None:
    """The style channels that the directions of a table move, from the table that the same job made beside it; None
    where there is none.
    """
    table = Table(store.join(store.parent(url), "channels"))
    made_by = [(one.manifest() or {}).get("fingerprint") for one in (table, Table(url))]
    return table.read().to_pandas() if made_by[0] is not None and made_by[0] == made_by[1] else None


def _listed(
    row: Mapping[str, Any], name: str, cells: Sequence[Mapping[str, Any]], counts: "pd.Series[int] | None"
) -> Listed:
    C, fraction, rows = (row[column][0] if row[column] else None for column in ("C", "fraction", "rows"))
    return Listed(
        **{column: row[column] for column in ("index", "attribute", "conditions", "space", "shape", "method")},
        generator=row["generator"] or None,
        classifier=row["classifier"] or None,
        name=name,
        C=C,
        fraction=fraction,
        rows=rows,
        accuracies={part: row[f"accuracy_{part}"][0] for part in ACCURACIES if row[f"accuracy_{part}"]},
        agreement=_agreement(C, fraction, [cell for cell in cells if cell["index"] == row["index"]]),
        intercept=row["intercept"],
        channels=None if counts is None else int(counts.get(row["index"], 0)),
    )


def _agreement(C: float | None, fraction: float | None, cells: Sequence[Mapping[str, Any]]) -> float | None:
    """Of the chosen C, at the fraction that was tried nearest to the chosen one."""
    same = [cell for cell in cells if cell["C"] == C]
    if fraction is not None:
        same.sort(key=lambda cell: abs(cell["fraction"] - fraction))
    return same[0]["agreement"] if same else None


def _share(value: float | None) -> str | None:
    return None if value is None else wording.share(round(1000 * value), 1000)


def _plain(value: float | None) -> str | None:
    return None if value is None else f"{value:.4g}"
