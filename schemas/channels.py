"""`channels`: one row, one style channel that a sparse direction moves."""

import pyarrow as pa

from schemas.table_schema import TableSchema

VERSION = 1


def channels() -> TableSchema:
    """The schema of the channels that directions in style space move; beside a table of directions.

    index      int64    number of the direction: `directions.index`
    place      int64    number of the channel in s, over all layers
    attribute  string   what the direction moves
    layer      string   name of the generator's style layer; empty where the generator is not known
    channel    int64    number of the channel in its layer; -1 where the generator is not known
    weight     float64  number of the direction's unit vector, in the units of s
    effect     float64  the same in standard deviations of the channel, as a share of the largest of the direction

    Rows rise by (index, place). Channels that a direction does not move have no row.
    """
    fields = [
        pa.field("index", pa.int64()),
        pa.field("place", pa.int64()),
        pa.field("attribute", pa.string()),
        pa.field("layer", pa.string()),
        pa.field("channel", pa.int64()),
        pa.field("weight", pa.float64()),
        pa.field("effect", pa.float64()),
    ]
    return TableSchema.of("channels", VERSION, fields, row_group_rows=65536, key=("index", "place"))
