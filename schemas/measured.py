"""`measured`: one row, what a metric says of one group of edits in the end; small, made from `metrics`."""

import pyarrow as pa

from schemas.table_schema import TableSchema

VERSION = 2
NUMBERS = (
    "mean",
    "mean_low",
    "mean_high",
    "sd",
    "flip_rate",
    "flip_rate_low",
    "flip_rate_high",
    "median",
    "q05",
    "q95",
)


def measured() -> TableSchema:
    """The schema of a summary of metrics.

    index       int64    number of the row
    edits       string   which table of edits, as the job was given it
    metric      string   name of the metric, as `stylemill measure --metrics` takes it; effects: the change of a score
    attribute   string   what was edited
    conditions  list<string>   what was to stay
    request, step  int64    the request there, and which step of the edit
    side        int64    -1 for rows that go away from the attribute (target 0, and of target flip those that have it,
                         which are a group apart), else 1
    strength    float64  of this step as it was asked for, with the sign of the way that rows go; of a request that
                         goes until a score, that score
    measured    string   which attribute's score, or which number of the metric; empty where it has one alone, of whole
                         faces
    count       int64    rows in the mean: not those that have no such number, as where the region of `mse_inside` is
                         empty; of metrics that look at pictures not those that were not edited, which stand at their
                         source
    mean, mean_low, mean_high, sd, flip_rate, flip_rate_low, flip_rate_high, median, q05, q95
                list<float64>  none or one: intervals are of 95 %; what a metric does not have, or too few rows tell
    """
    fields = [
        pa.field("index", pa.int64()),
        pa.field("edits", pa.string()),
        pa.field("metric", pa.string()),
        pa.field("attribute", pa.string()),
        pa.field("conditions", pa.list_(pa.string())),
        pa.field("request", pa.int64()),
        pa.field("step", pa.int64()),
        pa.field("side", pa.int64()),
        pa.field("strength", pa.float64()),
        pa.field("measured", pa.string()),
        pa.field("count", pa.int64()),
        *(pa.field(name, pa.list_(pa.float64())) for name in NUMBERS),
    ]
    return TableSchema.of("measured", VERSION, fields, row_group_rows=65536)
