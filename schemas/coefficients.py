"""`coefficients`: one row, what was solved for in one edit in style space."""

import pyarrow as pa

from schemas.encodings import rows_in_group
from schemas.table_schema import TableSchema

VERSION = 1


def coefficients(width: int) -> TableSchema:
    """The schema of the coefficients of edits, beside a table of edits; a row for each of its indices and requests.

    index         int64    global row number of the latent that was edited
    request       int64    number of the request in the `requests` table
    attribute     string   what the edit changes
    solved        bool     whether there was anything to solve for; else the coefficients are 0 and there are no errors
    coefficients  FSL<float32>[S]  Lambda, from 0 (the move of the latent direction) to 1 (that of the sparse one)
    errors        list<float32>    change outside the mask: at the start, and after each layer that was solved for

    Rows rise by (index, request).
    """
    fields = [
        pa.field("index", pa.int64()),
        pa.field("request", pa.int64()),
        pa.field("attribute", pa.string()),
        pa.field("solved", pa.bool_()),
        pa.field("coefficients", pa.list_(pa.float32(), width)),
        pa.field("errors", pa.list_(pa.float32())),
    ]
    return TableSchema.of("coefficients", VERSION, fields, rows_in_group(fields), key=("index", "request"))
