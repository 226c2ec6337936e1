"""`pasted`: one row, one photo with its edited faces pasted back, and the file that it was written to."""

import pyarrow as pa

from schemas.encodings import rows_in_group
from schemas.table_schema import TableSchema

VERSION = 1
KEY = ("index", "request")


def pasted() -> TableSchema:
    """The schema of a table of photos whose edited faces were pasted back.

    index    int64   place of the photo in its source, as in `photos`
    request  int64   number of the request in the `requests` table beside the edits
    attribute  string  what it changes
    source   string  name of the photo below its source, as in `photos`
    file     string  name of the written file below the directory
    format   string  of that file: JPEG, PNG or WEBP
    width, height  int64
    faces    list<int64>  the face numbers that were pasted; empty where no face was moved, and the photo is as it was
    changed  float32  share of the photo's pixels that lie under a mask
    bytes    int64   of the file
    sha256   string  of the file

    Rows rise by (index, request).
    """
    fields = [
        *(pa.field(name, pa.int64()) for name in KEY),
        *(pa.field(name, pa.string()) for name in ("attribute", "source", "file", "format")),
        *(pa.field(name, pa.int64()) for name in ("width", "height")),
        pa.field("faces", pa.list_(pa.int64())),
        pa.field("changed", pa.float32()),
        pa.field("bytes", pa.int64()),
        pa.field("sha256", pa.string()),
    ]
    return TableSchema.of("pasted", VERSION, fields, rows_in_group(fields), key=KEY)
