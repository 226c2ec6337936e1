"""`edit_images`: one row, the encoded picture of one row of `edits`."""

import pyarrow as pa

from schemas.features import PICTURE
from schemas.table_schema import TableSchema

VERSION = 1


def edit_images() -> TableSchema:
    """The schema of the pictures of a table of edits, which have its keys.

    index    int64
    request  int64
    step     int64    0 is the source
    image    struct<bytes: binary, path: string>  a whole PNG, JPEG or WebP file, and the file name it would have

    Rows rise by (index, request, step); row groups as in `images`.
    """
    fields = [
        pa.field("index", pa.int64()),
        pa.field("request", pa.int64()),
        pa.field("step", pa.int64()),
        pa.field("image", PICTURE),
    ]
    key = ("index", "request", "step")
    return TableSchema.of("edit_images", VERSION, fields, row_group_rows=100, row_group_bytes=100_000_000, key=key)
