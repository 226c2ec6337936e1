"""What a table's rows are: names, types, version; and a check that says where rows are not that.

Every table follows the same rules, so one class serves all of them: no nulls at any depth, but in the columns that a
schema names as nullable; floats finite; rows in strictly rising order of the key, which is `index` (int64), in some
tables followed by further columns. In other columns a number that a row may be without is a list of none or one.
Columns are Arrow types; FSL below means FixedSizeList.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from schemas.arrays import one_array, to_arrow
from schemas.encodings import writer_options
from schemas.features import huggingface_features

METADATA_KEY = b"stylemill"

Key = tuple[int, ...]


class SchemaError(ValueError):
    """Rows, or a file, are not of the schema that they should be of."""


@dataclass(frozen=True)
class TableSchema:
    """One kind of table.

    name, version: what the footer key `stylemill` says; the version rises when a column changes its meaning or type.
    arrow: the columns, with the metadata that goes into each part's footer. Its first column is `index`.
    row_group_rows, row_group_bytes: a row group is closed at either; bytes count variable-sized values only.
    key: the int64 columns that order the rows and tell them apart, `index` first; no two parts share an index.
    nullable: columns whose values may be null.
    """

    name: str
    version: int
    arrow: pa.Schema
    row_group_rows: int
    row_group_bytes: int | None = None
    key: tuple[str, ...] = ("index",)
    nullable: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        name: str,
        version: int,
        fields: list[pa.Field],
        row_group_rows: int,
        row_group_bytes: int | None = None,
        key: tuple[str, ...] = ("index",),
        nullable: tuple[str, ...] = (),
    ) -> "TableSchema":
        """The schema with its footer metadata: `huggingface` (viewer features) and `stylemill` (name, version)."""
        metadata = {
            "huggingface": json.dumps(huggingface_features(fields)),
            METADATA_KEY.decode(): json.dumps({"schema": name, "version": version}),
        }
        return cls(name, version, pa.schema(fields, metadata), row_group_rows, row_group_bytes, key, nullable)

    def writer_options(self) -> dict[str, object]:
        """Keyword arguments for `pyarrow.parquet.ParquetWriter`: compression, encodings, checksums."""
        return writer_options(self.arrow)

    def rows(self, columns: Mapping[str, Any]) -> pa.Table:
        """Rows of this schema from arrays by name of column: shape (N,), (N, W) or (N, L, W), or a value for all rows,
        which is None where a nullable column has none.

        Raises SchemaError where a column is missing, unknown, or of another shape or type. Values are not checked.
        """
        if set(columns) != set(self.arrow.names):
            raise SchemaError(f"{self.name}: wanted columns {self.arrow.names}, found {list(columns)}")
        count, arrays = len(columns["index"]), []
        for field in self.arrow:
            try:
                arrays.append(to_arrow(columns[field.name], field.type, count))
            except (TypeError, ValueError, OverflowError) as error:
                raise SchemaError(f"{self.name}: column '{field.name}': {error}") from error
            if len(arrays[-1]) != count:
                raise SchemaError(f"{self.name}: column '{field.name}' has {len(arrays[-1])} rows, 'index' {count}")
        return pa.Table.from_arrays(arrays, schema=self.arrow)

    def validate(self, rows: pa.Table | pa.RecordBatch) -> None:
        """Raise SchemaError at the first column, type, null, non-finite value or index that is wrong.

        The message names the column, what was wanted and found, and the first bad row: its place in `rows` and,
        where there is one, its index. Rows are in strictly rising order of the key.
        """
        self.validate_types(rows.schema)
        for field in self.arrow:
            column = one_array(rows.column(field.name))
            if field.name in self.nullable and column.null_count:
                column = column.fill_null(0)
            for path, row, what in _bad_values(field.name, column):
                index = rows.column("index")[row].as_py()
                raise SchemaError(f"{self.name}: column '{path}', row {row} (index {index}): {what}")
        self._validate_order(rows)

    def key_of(self, rows: pa.Table | pa.RecordBatch, row: int) -> Key:
        """The key of one row, to compare with another's: `rows` must have the columns of the key."""
        return tuple(rows.column(name)[row].as_py() for name in self.key)

    def validate_types(self, found: pa.Schema) -> None:
        """Raise SchemaError where columns are missing, unknown, out of order or of another type."""
        wanted, known, names = self.arrow, self.arrow.names, found.names
        for field in wanted:
            if names.count(field.name) != 1:
                fault = "missing" if field.name not in names else "there more than once"
                raise SchemaError(f"{self.name}: column '{field.name}' ({field.type}) is {fault}; found {names}")
            if found.field(field.name).type != field.type:
                found_type = found.field(field.name).type
                raise SchemaError(f"{self.name}: column '{field.name}': wanted {field.type}, found {found_type}")
        if extra := [name for name in names if name not in known]:
            raise SchemaError(f"{self.name}: column '{extra[0]}' is not of this schema, whose columns are {known}")
        if names != known:
            raise SchemaError(f"{self.name}: columns are in the order {names}; wanted {known}")

    def _validate_order(self, rows: pa.Table | pa.RecordBatch) -> None:
        rising, tied = np.zeros(max(rows.num_rows - 1, 0), bool), np.ones(max(rows.num_rows - 1, 0), bool)
        for name in self.key:
            values = one_array(rows.column(name)).to_numpy()
            rising |= tied & (values[1:] > values[:-1])
            tied &= values[1:] == values[:-1]
        bad = np.flatnonzero(~rising)
        if len(bad):
            row = int(bad[0]) + 1
            how = "repeats" if tied[bad[0]] else "is below"
            raise SchemaError(
                f"{self.name}: column '{', '.join(self.key)}', row {row} ({self._named(rows, row)}): {how} the row "
                f"before it ({self._named(rows, row - 1)}); rows must be in rising order of {', '.join(self.key)}, "
                "each once"
            )

    def _named(self, rows: pa.Table | pa.RecordBatch, row: int) -> str:
        return ", ".join(f"{name} {value}" for name, value in zip(self.key, self.key_of(rows, row), strict=True))


Locate = Callable[[int], tuple[int, int]]


def _itself(place: int) -> tuple[int, int]:
    return place, 0


def _bad_values(
    path: str, values: pa.Array, locate: Locate = _itself, nested: bool = False
) -> Iterator[tuple[str, int, str]]:
    """(path, row, what) of the first bad value of each leaf. `locate`: a value's row, and its place in the row."""
    if values.null_count:
        first = int(np.flatnonzero(values.is_null().to_numpy(zero_copy_only=False))[0])
        yield path, locate(first)[0], "null, and no value may be"
    elif pa.types.is_fixed_size_list(values.type):
        yield from _bad_values(path, values.flatten(), _in_fixed(locate, values.type.list_size), nested=True)
    elif pa.types.is_list(values.type):
        yield from _bad_values(path, values.flatten(), _in_lists(locate, values.offsets.to_numpy()), nested=True)
    elif pa.types.is_struct(values.type):
        for field, child in zip(values.type, values.flatten(), strict=True):
            yield from _bad_values(f"{path}.{field.name}", child, locate, nested)
    elif pa.types.is_floating(values.type):
        bad = np.flatnonzero(~np.isfinite(values.to_numpy()))
        if len(bad):
            row, place = locate(int(bad[0]))
            where = f" at place {place}" if nested else ""
            yield path, row, f"not finite ({values[int(bad[0])].as_py()}){where}"


def _in_fixed(locate: Locate, size: int) -> Locate:
    def inner(place: int) -> tuple[int, int]:
        row, outer = locate(place // size)
        return row, outer * size + place % size

    return inner


def _in_lists(locate: Locate, offsets: np.ndarray) -> Locate:
    def inner(place: int) -> tuple[int, int]:
        which = int(np.searchsorted(offsets, place + offsets[0], side="right")) - 1
        return locate(which)[0], place + int(offsets[0] - offsets[which])

    return inner
