"""Tables that an editor keeps beside its edits: one row, what it says of one edit."""

from collections.abc import Mapping

import pyarrow as pa

from schemas.encodings import rows_in_group
from schemas.table_schema import SchemaError, TableSchema

OF_THE_EDIT = {"index": pa.int64(), "request": pa.int64(), "attribute": pa.string()}


def kept(name: str, version: int, columns: Mapping[str, pa.DataType]) -> TableSchema:
    """The schema of a table that an editor keeps, with these columns of its own; a row for each index and request of
    the table of edits.

    index         int64    global row number of the latent that was edited
    request       int64    number of the request in the `requests` table
    attribute     string   what the edit changes
    <column>      as the editor says

    Rows rise by (index, request). Raises SchemaError for a column that is named as one of these.
    """
    if taken := [column for column in columns if column in OF_THE_EDIT]:
        raise SchemaError(f"{name}: column '{taken[0]}' is one of every table that an editor keeps: name it otherwise")
    fields = [pa.field(column, type_) for column, type_ in {**OF_THE_EDIT, **columns}.items()]
    return TableSchema.of(name, version, fields, rows_in_group(fields), key=("index", "request"))


def is_kept(found: pa.Schema) -> bool:
    """Whether columns begin as those of a table that an editor keeps."""
    return found.names[: len(OF_THE_EDIT)] == [*OF_THE_EDIT]


def as_kept(name: str, version: int, found: pa.Schema) -> TableSchema:
    """The schema of such a table, from its own columns: editors come and go, and their tables stay readable."""
    own = found.names[len(OF_THE_EDIT) :]
    return kept(name, version, {column: _as_written(found.field(column).type) for column in own})


def _as_written(type_: pa.DataType) -> pa.DataType:
    """The type of a column, without the name that Parquet gives to the items of a list."""
    if pa.types.is_fixed_size_list(type_):
        return pa.list_(type_.value_type, type_.list_size)
    return pa.list_(type_.value_type) if pa.types.is_list(type_) else type_
