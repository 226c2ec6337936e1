"""What a table's rows are: names, types, version; and a check that says where rows are not that.

Every table follows the same rules, so one class serves all of them: no nulls at any depth, floats finite, `index`
(int64) strictly rising. Columns are Arrow types; FSL below means FixedSizeList.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from schemas.arrays import one_array, to_arrow
from schemas.encodings import writer_options
from schemas.features import huggingface_features

METADATA_KEY = b"stylemill"


class SchemaError(ValueError):
    """Rows, or a file, are not of the schema that they should be of."""


@dataclass(frozen=True)
class TableSchema:
    """One kind of table.

    name, version: what the footer key `stylemill` says; the version rises when a column changes its meaning or type.
    arrow: the columns, with the metadata that goes into each part's footer. Its first column is `index`.
    row_group_rows, row_group_bytes: a row group is closed at either; bytes count variable-sized values only.
    """

    name: str
    version: int
    arrow: pa.Schema
    row_group_rows: int
    row_group_bytes: int | None = None

    @classmethod
    def of(
        cls,
        name: str,
        version: int,
        fields: list[pa.Field],
        row_group_rows: int,
        row_group_bytes: int | None = None,
    ) -> "TableSchema":
        """The schema with its footer metadata: `huggingface` (viewer features) and `stylemill` (name, version)."""
        metadata = {
            "huggingface": json.dumps(huggingface_features(fields)),
            METADATA_KEY.decode(): json.dumps({"schema": name, "version": version}),
        }
        return cls(name, version, pa.schema(fields, metadata), row_group_rows, row_group_bytes)

    def writer_options(self) -> dict[str, object]:
        """Keyword arguments for `pyarrow.parquet.ParquetWriter`: compression, encodings, checksums."""
        return writer_options(self.arrow)

    def rows(self, columns: Mapping[str, Any]) -> pa.Table:
        """Rows of this schema from arrays by name of column: shape (N,), (N, W) or (N, L, W), or a value for all rows.

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
        where there is one, its index.
        """
        self.validate_types(rows.schema)
        for field in self.arrow:
            column = one_array(rows.column(field.name))
            for path, row, what in _bad_values(field.name, column):
                index = rows.column("index")[row].as_py()
                raise SchemaError(f"{self.name}: column '{path}', row {row} (index {index}): {what}")
        self._validate_order(one_array(rows.column("index")))

    def validate_types(self, found: pa.Schema) -> None:
        """Raise SchemaError where columns are missing, unknown, out of order or of another type."""
        wanted, names = self.arrow, found.names
        for field in wanted:
            if names.count(field.name) != 1:
                fault = "missing" if field.name not in names else "there more than once"
                raise SchemaError(f"{self.name}: column '{field.name}' ({field.type}) is {fault}; found {names}")
            if found.field(field.name).type != field.type:
                found_type = found.field(field.name).type
                raise SchemaError(f"{self.name}: column '{field.name}': wanted {field.type}, found {found_type}")
        if extra := [name for name in names if name not in wanted.names]:
            raise SchemaError(
                f"{self.name}: column '{extra[0]}' is not of this schema, whose columns are {wanted.names}"
            )
        if names != wanted.names:
            raise SchemaError(f"{self.name}: columns are in the order {names}; wanted {wanted.names}")

    def _validate_order(self, index: pa.Array) -> None:
        values = index.to_numpy()
        bad = np.flatnonzero(values[1:] <= values[:-1])
        if len(bad):
            row = int(bad[0]) + 1
            how = "repeats" if values[row] == values[row - 1] else "is below"
            raise SchemaError(
                f"{self.name}: column 'index', row {row} (index {values[row]}): {how} the row before it "
                f"(index {values[row - 1]}); rows must be in rising order of index, each once"
            )


def _bad_values(path: str, values: pa.Array, per_row: int = 1) -> Iterator[tuple[str, int, str]]:
    """(path, row, what) of the first bad value of each leaf. `per_row` values of this array make one row."""
    if values.null_count:
        first = int(np.flatnonzero(values.is_null().to_numpy(zero_copy_only=False))[0])
        yield path, first // per_row, "null, and no value may be"
        return
    if pa.types.is_fixed_size_list(values.type):
        yield from _bad_values(path, values.flatten(), per_row * values.type.list_size)
    elif pa.types.is_struct(values.type):
        for field, child in zip(values.type, values.flatten(), strict=True):
            yield from _bad_values(f"{path}.{field.name}", child, per_row)
    elif pa.types.is_floating(values.type):
        bad = np.flatnonzero(~np.isfinite(values.to_numpy()))
        if len(bad):
            place = f" at place {int(bad[0]) % per_row}" if per_row > 1 else ""
            yield path, int(bad[0]) // per_row, f"not finite ({values[int(bad[0])].as_py()}){place}"
