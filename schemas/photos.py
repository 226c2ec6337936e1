"""`photos`: one row, one photo in which faces were looked for, and the file that it came from."""

import pyarrow as pa

from schemas.encodings import rows_in_group
from schemas.table_schema import TableSchema

VERSION = 1


def photos() -> TableSchema:
    """The schema of a photos table.

    index        int64   place of the photo in its source
    source       string  its name below the source: a file, FILE/MEMBER of a tar, FILE#ROW of a Parquet file; bytes that
                 are not UTF-8 are written as \\xNN
    sha256       string  of the file
    bytes        int64   of the file
    format       string  as Pillow names it: JPEG, PNG ...
    mode         string  its pixels as they were stored: RGB, CMYK, I;16 ...
    orientation  int64   of EXIF, 1 to 8: how it was turned to be upright; all places are of the upright photo
    width, height  int64
    profile      string  description of its colour profile; empty where it has none, `unreadable` where that is damaged
    frames       int64   of which the first was taken
    faces        int64   that were found
    kept         int64   of these, and have a picture
    """
    numbers = ("orientation", "width", "height")
    fields = [
        pa.field("index", pa.int64()),
        pa.field("source", pa.string()),
        pa.field("sha256", pa.string()),
        pa.field("bytes", pa.int64()),
        pa.field("format", pa.string()),
        pa.field("mode", pa.string()),
        *(pa.field(name, pa.int64()) for name in numbers),
        pa.field("profile", pa.string()),
        *(pa.field(name, pa.int64()) for name in ("frames", "faces", "kept")),
    ]
    return TableSchema.of("photos", VERSION, fields, rows_in_group(fields))
