"""`picture_features`: one row, what frozen networks see of a generated picture, and the latent that it was made of."""

import pyarrow as pa

from schemas.encodings import rows_in_group
from schemas.table_schema import TableSchema

VERSION = 1


def picture_features(features: int, w_dim: int = 512) -> TableSchema:
    """The schema of such a table.

    index     int64                    global row number
    w         FSL<float32>[w_dim]      of which the picture was made, after truncation
    features  FSL<float32>[features]   of the picture, the networks' one behind the other
    """
    fields = [
        pa.field("index", pa.int64()),
        pa.field("w", pa.list_(pa.float32(), w_dim)),
        pa.field("features", pa.list_(pa.float32(), features)),
    ]
    return TableSchema.of("picture_features", VERSION, fields, rows_in_group(fields))
