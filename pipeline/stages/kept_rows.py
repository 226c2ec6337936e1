"""What an editor keeps of each edit, as columns of a micro-batch and as rows of tables.

Shapes: B slots of a micro-batch, R requests, M the most numbers of a list; `...` stands for the shape of a column.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

import schemas
from pipeline.editors import EditRequest, Trace
from pipeline.editors.kept import ANY, Column, KeptTable
from pipeline.stages.microbatch import Columns, Indices
from schemas import TableSchema

TYPES = {"bool": pa.bool_(), "int64": pa.int64(), "float32": pa.float32(), "float64": pa.float64()}


def schema_of(table: KeptTable) -> TableSchema:
    """Its columns behind index, request and attribute. Raises SchemaError where one is named as one of these."""
    return schemas.kept(table.name, table.version, {name: _type(column) for name, column in table.columns.items()})


def kept_columns(tables: Sequence[KeptTable], traces: Sequence[Trace]) -> dict[str, NDArray]:
    """(B, R, ...) of every column, named `table.column`, from the trace of each request; of a list (B, R, M), 0 behind
    its end, and (B, R, M) bool where there is a number."""
    found: dict[str, NDArray] = {}
    for table in tables:
        for name, column in table.columns.items():
            of_requests = [trace.tables[table.name][name].detach().cpu().numpy() for trace in traces]
            values = np.stack(of_requests, axis=1).astype(column.type, copy=False)
            if column.width == ANY:
                found[_there(table, name)] = there = ~np.isnan(values)
                values = np.where(there, values, 0)
            found[_named(table, name)] = values
    return found


def kept_rows(table: KeptTable, index: Indices, made: Columns, requests: Sequence[EditRequest]) -> pa.Table:
    """A row for each edit, in the order of (index, request)."""

    def columns() -> Iterator[tuple[str, object]]:
        yield "index", np.repeat(index, len(requests))
        yield "request", np.tile(np.arange(len(requests)), len(index))
        yield "attribute", [request.attribute for request in requests] * len(index)
        for name, column in table.columns.items():
            values = made[_named(table, name)]
            values = values.reshape(-1, *values.shape[2:])
            if column.width == ANY:
                there = made[_there(table, name)].reshape(values.shape)
                yield name, [its[some].tolist() for its, some in zip(values, there, strict=True)]
            else:
                yield name, values

    return schema_of(table).rows(dict(columns()))


def _type(column: Column) -> pa.DataType:
    one = TYPES[column.type]
    if column.width is None:
        return one
    return pa.list_(one) if column.width == ANY else pa.list_(one, int(column.width))


def _named(table: KeptTable, column: str) -> str:
    return f"{table.name}.{column}"


def _there(table: KeptTable, column: str) -> str:
    return f"{table.name}.{column} there"
