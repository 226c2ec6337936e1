"""`effects`: one row, how far one attribute's score moves along one direction that was found without labels."""

import pyarrow as pa

from schemas.table_schema import TableSchema

VERSION = 1


def effects() -> TableSchema:
    """The schema of measured effects; beside a table of directions.

    index      int64    number of the direction: `directions.index`
    place      int64    number of the measured attribute
    component  string   which one it is: pc0, pc1, ... by falling variance, or sefa0, sefa1, ... by falling eigenvalue
    measured   string   the attribute whose score was measured
    change     float64  mean change of that score for one standard deviation of the codes along the direction
    deviation  float64  that standard deviation, in units of the codes
    strength   float64  how many of them to either side the faces were moved
    rows       int64    faces that were moved

    Rows rise by (index, place).
    """
    fields = [
        pa.field("index", pa.int64()),
        pa.field("place", pa.int64()),
        pa.field("component", pa.string()),
        pa.field("measured", pa.string()),
        pa.field("change", pa.float64()),
        pa.field("deviation", pa.float64()),
        pa.field("strength", pa.float64()),
        pa.field("rows", pa.int64()),
    ]
    return TableSchema.of("effects", VERSION, fields, row_group_rows=65536, key=("index", "place"))
