"""Directions as rows of a table, and back: an exact round trip."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

import schemas
from pipeline.directions import Direction
from pipeline.stages.source import check_kind, combined_digest, names_of, open_tables
from pipeline.tables import Table
from schemas.directions import ACCURACIES


def to_rows(directions: Sequence[Direction], first_index: int = 0) -> pa.Table:
    """One row for each direction, numbered from `first_index`."""

    def optional(value: float | int | None) -> list[float | int]:
        return [] if value is None else [value]

    def column(name: str) -> list[Any]:
        return [getattr(direction, name) for direction in directions]

    return schemas.directions().rows(
        {
            "index": range(first_index, first_index + len(directions)),
            **{name: column(name) for name in ("attribute", "method", "space", "intercept")},
            "vector": [direction.vector.ravel() for direction in directions],
            "shape": [list(direction.vector.shape) for direction in directions],
            "conditions": [list(direction.conditions) for direction in directions],
            **{name: [optional(value) for value in column(name)] for name in ("C", "fraction", "rows")},
            **{
                f"accuracy_{part}": [optional(direction.accuracies.get(part)) for direction in directions]
                for part in ACCURACIES
            },
            **{name: [value or "" for value in column(name)] for name in ("generator", "classifier")},
        }
    )


def read_directions(table: Table) -> list[Direction]:
    """All directions of a table, in order of their number.

    Raises:
        SpecError: it is a table of something else.
        StoreError: it cannot be read.
    """
    check_kind(table, "directions")
    return [_direction(row) for row in table.read().to_pylist()]


@dataclass(frozen=True, eq=False)
class DirectionTables:
    """Complete tables of directions as one; directions are numbered through all of them, in the order of the tables."""

    tables: tuple[Table, ...]
    directions: tuple[Direction, ...]

    @classmethod
    def open(cls, urls: Sequence[str]) -> "DirectionTables":
        """All directions of these tables; errors as `open_tables`."""
        tables = open_tables(urls, "directions")
        return cls(tables, tuple(direction for table in tables for direction in read_directions(table)))

    @property
    def url(self) -> str:
        """The tables' URLs, for messages."""
        return names_of(self.tables)

    @property
    def digest(self) -> str:
        """The digest of the one table, or one over the digests of all in order, since numbers run through them."""
        return combined_digest([table.digest for table in self.tables], in_order=True)


def _direction(row: Mapping[str, Any]) -> Direction:
    def optional(name: str) -> Any:
        return row[name][0] if row[name] else None

    accuracies = {part: optional(f"accuracy_{part}") for part in ACCURACIES}
    return Direction(
        attribute=row["attribute"],
        method=row["method"],
        space=row["space"],
        vector=np.array(row["vector"], dtype=np.float32).reshape(row["shape"]),
        intercept=row["intercept"],
        conditions=tuple(row["conditions"]),
        C=optional("C"),
        fraction=optional("fraction"),
        accuracies={part: value for part, value in accuracies.items() if value is not None},
        rows=optional("rows"),
        generator=row["generator"] or None,
        classifier=row["classifier"] or None,
    )
