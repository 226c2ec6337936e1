"""`metrics`: one row, what one task measured of one group of edits: partial numbers, to be merged."""

from collections.abc import Sequence

import pyarrow as pa

from schemas.encodings import rows_in_group
from schemas.table_schema import SchemaError, TableSchema

VERSION = 2
GROUP = (
    "index",
    "group",
    "metric",
    "edits",
    "request",
    "step",
    "side",
    "attribute",
    "conditions",
    "strength",
    "measured",
)


def metrics(numbers: Sequence[str]) -> TableSchema:
    """The schema of a table of one metric's partials, with these numbers (`Metric.numbers`).

    index       int64    number of the task that measured, a part of a table of edits
    group       int64    number of the group of edits within the task
    metric      string   name of the metric
    edits       string   which table of edits, as the job was given it
    request     int64    number of the request there
    step        int64    which step of the edit
    attribute   string   what was edited
    conditions  list<string>   what was to stay
    side        int64    -1 for rows that go away from the attribute (target 0, and of target flip those that have it,
                         which are a group apart), else 1
    strength    float64  of this step as it was asked for, with the sign of the way that rows go; of a request that
                         goes until a score, that score
    measured    string   which attribute's score, or which number of the metric; empty where it has one alone, of whole
                         faces; of `dt`, the family that classified
    <number>    float64

    Rows rise by (index, group). Raises SchemaError for a number that is named twice or as another column.
    """
    taken = set(GROUP)
    for name in numbers:
        if not name or name in taken:
            raise SchemaError(f"number '{name}' cannot be a column of metrics: the name is empty or already taken")
        taken.add(name)
    fields = [
        pa.field("index", pa.int64()),
        pa.field("group", pa.int64()),
        pa.field("metric", pa.string()),
        pa.field("edits", pa.string()),
        pa.field("request", pa.int64()),
        pa.field("step", pa.int64()),
        pa.field("attribute", pa.string()),
        pa.field("conditions", pa.list_(pa.string())),
        pa.field("side", pa.int64()),
        pa.field("strength", pa.float64()),
        pa.field("measured", pa.string()),
        *(pa.field(name, pa.float64()) for name in numbers),
    ]
    return TableSchema.of("metrics", VERSION, fields, rows_in_group(fields), key=("index", "group"))
