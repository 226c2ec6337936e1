"""`face_images`: one row, the aligned picture of one face of a photo."""

import pyarrow as pa

from schemas.faces import KEY
from schemas.features import PICTURE
from schemas.table_schema import TableSchema

VERSION = 1


def face_images() -> TableSchema:
    """The schema of the pictures of faces, which have the keys of `faces`; faces that were left out have none.

    index        int64   of the photo
    face_number  int64
    image        struct<bytes: binary, path: string>  a whole PNG, JPEG or WebP file, and the file name it would have

    Rows rise by (index, face_number); row groups as in `images`.
    """
    fields = [*(pa.field(name, pa.int64()) for name in KEY), pa.field("image", PICTURE)]
    return TableSchema.of("face_images", VERSION, fields, row_group_rows=100, row_group_bytes=100_000_000, key=KEY)
