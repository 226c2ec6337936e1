"""`requests`: one row, one thing that was asked of an editor; small, beside `edits`."""

import pyarrow as pa

from schemas.table_schema import TableSchema

VERSION = 2


def requests(with_options: bool = True) -> TableSchema:
    """The schema of a table of requests. with_options: False for tables of version 1.

    index       int64    number of the request: `edits.request`
    attribute   string   what is to change
    target      string   1 | 0 | flip: towards the attribute, away from it, or to the other side of where a row is
    conditions  list<string>   what is to stay
    lambdas     list<float64>  weights of attribute-level against instance-level directions: of the attribute, of the
                         conditions; empty for editors without
    strengths   list<float64>  how far, a step for each; empty where the editor finds its own
    until       list<float64>  none or one: the score to reach, in standard deviations beyond the boundary
    options     list<string>   names of further numbers of the editor, lambda1 and lambda2 among them
    option_values  list<float64>  those numbers
    """
    fields = [
        pa.field("index", pa.int64()),
        pa.field("attribute", pa.string()),
        pa.field("target", pa.string()),
        pa.field("conditions", pa.list_(pa.string())),
        pa.field("lambdas", pa.list_(pa.float64())),
        pa.field("strengths", pa.list_(pa.float64())),
        pa.field("until", pa.list_(pa.float64())),
    ]
    if with_options:
        fields += [pa.field("options", pa.list_(pa.string())), pa.field("option_values", pa.list_(pa.float64()))]
    return TableSchema.of("requests", VERSION, fields, row_group_rows=65536)
