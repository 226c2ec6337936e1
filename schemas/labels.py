"""`labels`: one row, one family of classifiers' scores of one image."""

from collections.abc import Sequence

import pyarrow as pa

from schemas.encodings import rows_in_group
from schemas.table_schema import SchemaError, TableSchema

VERSION = 1
MEASURES = ("age_years", "yaw_degrees")


def labels(attributes: Sequence[str], measures: Sequence[str] = MEASURES) -> TableSchema:
    """The schema of a labels table of these attributes, in this order.

    measures: which of the last two columns there are; classifiers of one's own may have none.

    index        int64    global row number
    <attribute>  float32  score: monotone, 0 at the boundary, in standard deviations over the calibration faces
    age_years    float32  apparent age
    yaw_degrees  float32  head yaw, 0 is frontal

    Raises SchemaError for an attribute that is named twice or as another column.
    """
    names = [*attributes, *measures]
    taken = {"index"}
    for name in names:
        if not name or name in taken:
            raise SchemaError(f"attribute {name!r} cannot be a column of labels: the name is empty or already taken")
        taken.add(name)
    fields = [pa.field("index", pa.int64()), *(pa.field(name, pa.float32()) for name in names)]
    return TableSchema.of("labels", VERSION, fields, rows_in_group(fields))
