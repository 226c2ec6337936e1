"""`images`: one row, one encoded picture."""

import pyarrow as pa

from schemas.features import PICTURE
from schemas.table_schema import TableSchema

VERSION = 1


def images() -> TableSchema:
    """The schema of an images table.

    index  int64
    image  struct<bytes: binary, path: string>  a whole PNG, JPEG or WebP file, and the file name it would have

    At most 100 rows and 100 MB of pictures make a row group, which is what viewers can page through.
    """
    fields = [pa.field("index", pa.int64()), pa.field("image", PICTURE)]
    return TableSchema.of("images", VERSION, fields, row_group_rows=100, row_group_bytes=100_000_000)
