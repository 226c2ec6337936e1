"""`dt_curves`: one row, one point of one Disentanglement-Transformation curve; small, made from `metrics`."""

import pyarrow as pa

from schemas.table_schema import TableSchema

VERSION = 1
SHARES = ("p", "p_low", "p_high", "q", "q_low", "q_high")


def dt_curves() -> TableSchema:
    """The schema of DT curves, of any pairs, cells and families; as counted, before p is made to rise.

    index      int64    number of the row
    primal     string   the attribute that was edited
    condition  string   the attribute that was to stay
    lambda1, lambda2  float64  weights of attribute-level against instance-level directions: of the primal, of the
                        condition
    family     string   who classified: judge, or the family that was used for editing
    step       int64    1 is the first after the source; the point (0, 1) of step 0 is not there
    step_size  float64  length of a step
    count      int64    rows that start in the source class, at least one
    p, p_low, p_high  float64  share of them that were transformed, and its interval of 95 %
    q, q_low, q_high  float64  share of them that kept the condition's class, and its interval of 95 %
    """
    fields = [
        pa.field("index", pa.int64()),
        pa.field("primal", pa.string()),
        pa.field("condition", pa.string()),
        pa.field("lambda1", pa.float64()),
        pa.field("lambda2", pa.float64()),
        pa.field("family", pa.string()),
        pa.field("step", pa.int64()),
        pa.field("step_size", pa.float64()),
        pa.field("count", pa.int64()),
        *(pa.field(name, pa.float64()) for name in SHARES),
    ]
    return TableSchema.of("dt_curves", VERSION, fields, row_group_rows=65536)
