"""Where a part is cut into row groups: after so many rows, or bytes of pictures, however the rows were handed in."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from schemas import TableSchema


class RowGroups:
    """Gathers rows until a row group is full.

    A row joins the group while the group has fewer than `row_group_rows` rows and, where the schema limits the bytes
    of variable-sized values, while these fit; a row that is larger than the limit has a group to itself.
    """

    def __init__(self, schema: TableSchema):
        self._schema = schema
        self._pending: list[pa.Table] = []
        self._rows = 0
        self._bytes = 0

    def add(self, rows: pa.Table | pa.RecordBatch) -> list[pa.Table]:
        """Take rows in; return the row groups that are full now."""
        rows = pa.Table.from_batches([rows]) if isinstance(rows, pa.RecordBatch) else rows
        sizes = self._sizes(rows)
        full, start = [], 0
        while start < rows.num_rows:
            stop = start + self._room(sizes[start : start + self._schema.row_group_rows - self._rows])
            if stop > start:
                self._pending.append(rows.slice(start, stop - start))
                self._rows += stop - start
                self._bytes += int(sizes[start:stop].sum())
            if stop < rows.num_rows:
                full += self.rest()
            start = stop
        return full

    def rest(self) -> list[pa.Table]:
        """The rows that wait, as a last row group; none if there are none."""
        if not self._rows:
            return []
        group = pa.concat_tables(self._pending).combine_chunks()
        self._pending, self._rows, self._bytes = [], 0, 0
        return [pa.Table.from_arrays(group.columns, schema=self._schema.arrow)]

    def _room(self, sizes: np.ndarray) -> int:
        if self._schema.row_group_bytes is None:
            return len(sizes)
        room = int(np.searchsorted(self._bytes + np.cumsum(sizes), self._schema.row_group_bytes, side="right"))
        return 1 if room == 0 and self._rows == 0 else room

    def _sizes(self, rows: pa.Table) -> np.ndarray:
        """Bytes of variable-sized values of each row, int64; zeros where the schema has no limit on them."""
        sizes = np.zeros(rows.num_rows, np.int64)
        if self._schema.row_group_bytes is None:
            return sizes
        for column in rows.flatten().columns:
            if pa.types.is_binary(column.type) or pa.types.is_string(column.type):
                sizes += pc.binary_length(column).to_numpy()
        return sizes
