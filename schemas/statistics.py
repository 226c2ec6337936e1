"""`statistics`: one row, the raw statistics of one face by networks, from which boundaries and units are found."""

from collections.abc import Sequence

import pyarrow as pa

from schemas.encodings import rows_in_group
from schemas.table_schema import TableSchema

VERSION = 1


def statistics(names: Sequence[str]) -> TableSchema:
    """The schema of a table of these statistics, in this order.

    index                      int64    global row number
    <family>_<name>            float32  what the network says, before boundary and unit
    <family>_<name>_mirrored   float32  of the face's mirror image, where a boundary is found from it
    """
    fields = [pa.field("index", pa.int64()), *(pa.field(name, pa.float32()) for name in names)]
    return TableSchema.of("statistics", VERSION, fields, rows_in_group(fields))
