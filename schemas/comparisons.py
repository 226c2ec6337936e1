"""`comparisons`: one row, how alike two directions are, or the scores of two attributes."""

import pyarrow as pa

from schemas.table_schema import TableSchema

VERSION = 1


def comparisons() -> TableSchema:
    """The schema of a table of comparisons; each matrix is there whole, row by row.

    index    int64    number of the comparison
    measure  string   cosine: of two directions | correlation: Pearson's, of two columns of scores
    first    string   direction or attribute
    second   string
    value    float64  in [-1, 1]
    """
    fields = [
        pa.field("index", pa.int64()),
        pa.field("measure", pa.string()),
        pa.field("first", pa.string()),
        pa.field("second", pa.string()),
        pa.field("value", pa.float64()),
    ]
    return TableSchema.of("comparisons", VERSION, fields, row_group_rows=65536)
