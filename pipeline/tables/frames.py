"""Small tables as pandas frames, and back: a list of none or one number is that number, and NaN where there is none."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from pipeline.tables.table import Table
from schemas import TableSchema

NUMBERS = (pa.list_(pa.float64()), pa.list_(pa.int64()))


def read_frame(url: str) -> pd.DataFrame:
    """All rows of a table in which lists of numbers have none or one. Raises StoreError."""
    rows = Table.open(url).read()
    found: pd.DataFrame = rows.to_pandas()
    for name in _numbers(rows.schema):
        found[name] = pd.Series([value[0] if len(value) else math.nan for value in found[name]], found.index, float)
    return found


def to_rows(schema: TableSchema, frame: pd.DataFrame) -> pa.Table:
    """Rows of such a table, numbered from 0 where they have no index; a number that is no column is nowhere there."""
    columns: dict[str, Any] = {"index": range(len(frame)), **{name: frame[name].tolist() for name in frame.columns}}
    for name in _numbers(schema.arrow):
        values = columns.get(name, [math.nan] * len(frame))
        columns[name] = [[value] if np.isfinite(value) else [] for value in values]
    return schema.rows({name: columns[name] for name in schema.arrow.names})


def _numbers(schema: pa.Schema) -> list[str]:
    return [field.name for field in schema if field.type in NUMBERS]
