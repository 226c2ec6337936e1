"""`rejects`: one row, one planned row that was rejected, and why."""

import pyarrow as pa

from schemas.encodings import rows_in_group
from schemas.table_schema import TableSchema

VERSION = 2


def rejects() -> TableSchema:
    """The schema of a rejects table.

    index   int64   global row number of the row that is in no other table
    stage   string  where it happened, as the plan names it
    reason  string  one of a few, for counting: `not finite`, `undecodable`
    detail  string  what happened, for a person; may be empty
    traceback  string  where it was raised, frame by frame; empty where nothing was
    """
    fields = [
        pa.field("index", pa.int64()),
        pa.field("stage", pa.string()),
        pa.field("reason", pa.string()),
        pa.field("detail", pa.string()),
        pa.field("traceback", pa.string()),
    ]
    return TableSchema.of("rejects", VERSION, fields, rows_in_group(fields))
