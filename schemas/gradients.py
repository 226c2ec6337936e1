"""`gradients`: one row, how one face's score of one attribute rises; and sums of the directions in which it does."""

import pyarrow as pa

from schemas.encodings import rows_in_group
from schemas.table_schema import TableSchema

VERSION = 1


def gradients() -> TableSchema:
    """The schema of a table from which mean gradients are put together; beside a table of directions.

    index      int64    row of the latents
    place      int64    number of the attribute
    attribute  string   whose score it is
    score      float32  as in `labels`
    slope      float64  norm of the score's gradient, a score per unit of the codes; 0 where the score is flat
    count      int64    how many unit gradients `sum` is the sum of; 0 where it is empty
    sum        list<float64>  none, or the sum, flattened: the last rows of a part have it, one for each attribute, for
                        all rows of the part; where rejected rows were retried later, the last of these have their own

    Rows rise by (index, place). The mean is that of all sums: the sum of `sum` over the sum of `count`.
    """
    fields = [
        pa.field("index", pa.int64()),
        pa.field("place", pa.int64()),
        pa.field("attribute", pa.string()),
        pa.field("score", pa.float32()),
        pa.field("slope", pa.float64()),
        pa.field("count", pa.int64()),
        pa.field("sum", pa.list_(pa.float64())),
    ]
    return TableSchema.of("gradients", VERSION, fields, rows_in_group(fields), key=("index", "place"))
