"""Checks that rows that come in batches rise by the key from one batch to the next, and counts them by index."""

import numpy as np
import pyarrow as pa

from schemas import SchemaError, TableSchema


class RowOrder:
    """The rows of one part that have come so far.

    first, last: of their indices; None before there is a row.
    """

    def __init__(self, schema: TableSchema) -> None:
        self._schema = schema
        self._last_key: tuple[int, ...] | None = None
        self._indices = 0
        self.rows = 0
        self.first: int | None = None
        self.last: int | None = None

    @property
    def indices(self) -> int | None:
        """For `PartRecord.indices`."""
        return None if self._schema.key == ("index",) else self._indices

    def add(self, rows: pa.Table | pa.RecordBatch) -> None:
        """Count valid rows. Raises SchemaError if they do not come after the rows before."""
        if not rows.num_rows:
            return
        start, end = self._schema.key_of(rows, 0), self._schema.key_of(rows, rows.num_rows - 1)
        if self._last_key is not None and start <= self._last_key:
            before, key = _named(self._last_key), ", ".join(self._schema.key)
            raise SchemaError(f"{key} {_named(start)} comes after {before}; rows must be in rising order")
        index = rows.column("index").to_numpy()
        self._indices += int(np.count_nonzero(np.diff(index))) + (self.last != start[0])
        self.first = start[0] if self.first is None else self.first
        self.last, self._last_key = end[0], end
        self.rows += rows.num_rows


def _named(key: tuple[int, ...]) -> str:
    return ", ".join(map(str, key))
