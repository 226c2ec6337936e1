"""Directions as rows of a table, and back: an exact round trip."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

import schemas
from pipeline.directions import Direction
from pipeline.errors import SpecError
from pipeline.tables import Table, store
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
    if table.schema.name != "directions":
        raise SpecError(f"{table.url} is a table of {table.schema.name}, not of directions")
    return [_direction(row) for row in table.read().to_pylist()]


@dataclass(frozen=True, eq=False)
class DirectionTables:
    """Sealed tables of directions as one; numbers count through all of them, in the order of the tables."""

    tables: tuple[Table, ...]
    directions: tuple[Direction, ...]

    @classmethod
    def open(cls, urls: Sequence[str]) -> "DirectionTables":
        """All directions of these tables.

        Raises:
            SpecError: one is a table of something else, or is named twice.
            StoreError: one is not there, or not complete.
        """
        if len({url.rstrip("/") for url in urls}) < len(urls):
            raise SpecError("--directions names a table twice")
        tables = tuple(map(Table.open, urls))
        for table in tables:
            table.require_sealed()
        return cls(tables, tuple(direction for table in tables for direction in read_directions(table)))

    @property
    def url(self) -> str:
        """For messages."""
        return " and ".join(table.url for table in self.tables)

    @property
    def digest(self) -> str:
        """Of one table its own; of several one of theirs, in this order, since numbers count through them."""
        digests = [table.digest for table in self.tables]
        return digests[0] if len(digests) == 1 else hashlib.sha256(store.canonical_json(digests)).hexdigest()


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
