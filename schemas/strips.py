"""`strips`: one row, the encoded picture of one face moved along one direction; beside a table of directions."""

import pyarrow as pa

from schemas.features import PICTURE
from schemas.table_schema import TableSchema

VERSION = 1


def strips() -> TableSchema:
    """The schema of faces moved along directions.

    index      int64    number of the direction: `directions.index`
    face       int64    row number of the latent that was moved
    step       int64    0 is the source, then by rising strength
    deviations float32  how far, in standard deviations of the latents along the direction
    strength   float32  the same in units of the codes: what `stylemill edit interfacegan --strengths` takes
    image      struct<bytes: binary, path: string>  a whole WebP file, and the file name it would have

    Rows rise by (index, face, step); row groups as in `images`.
    """
    fields = [
        pa.field("index", pa.int64()),
        pa.field("face", pa.int64()),
        pa.field("step", pa.int64()),
        pa.field("deviations", pa.float32()),
        pa.field("strength", pa.float32()),
        pa.field("image", PICTURE),
    ]
    key = ("index", "face", "step")
    return TableSchema.of("strips", VERSION, fields, row_group_rows=100, row_group_bytes=100_000_000, key=key)
