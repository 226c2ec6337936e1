"""`dt_auc`: one row, the area under one Disentanglement-Transformation curve; small, made from `dt_curves`."""

import pyarrow as pa

from schemas.table_schema import TableSchema

VERSION = 2


def dt_auc() -> TableSchema:
    """The schema of areas under DT curves, and how each cell (lambda1, lambda2) compares with the cell (1, 1).

    index      int64    number of the row
    primal     string   the attribute that was edited
    condition  string   the attribute that was to stay
    lambda1, lambda2  float64  weights of attribute-level against instance-level directions: of the primal, of the
                        condition
    family     string   who classified: judge, or the family that was used for editing
    step_size  float64  length of a step
    steps      int64    after the source
    rows       int64    that start in the source class
    p_max      float64  the largest share transformed
    auc_to_p_max    float64  area over p in [0, p_max]
    auc_normalised  list<float64>  none or one: that area divided by p_max; none where p_max is 0
    common     float64  the p that all cells of this pair reach
    auc_common      list<float64>  none or one: area over p in [0, common], divided by common; none where common is 0
    difference, difference_low, difference_high
               list<float64>  none or one: to the cell (1, 1), of the areas over the range that both reach, divided by
                        its length: of the rows as they are, and the interval of 95 % of paired resamples; none for
                        (1, 1) itself
    verdict    string   better | worse | not decided, than (1, 1); empty for (1, 1) itself
    kappa      list<float64>  none or one: agreement of the two families beyond chance (Cohen's kappa), on the primal or
                        the condition, whichever is less, over unedited faces; none where it is not defined, or where no
                        labels of the family that edits were given
    kappa_edited    list<float64>  none or one: the same over all faces of this pair's edits, sources and steps
    ranked     bool     whether the pair counts where cells are ranked: kappa is at least 0.6, and common above 0
    """
    fields = [
        pa.field("index", pa.int64()),
        pa.field("primal", pa.string()),
        pa.field("condition", pa.string()),
        pa.field("lambda1", pa.float64()),
        pa.field("lambda2", pa.float64()),
        pa.field("family", pa.string()),
        pa.field("step_size", pa.float64()),
        pa.field("steps", pa.int64()),
        pa.field("rows", pa.int64()),
        pa.field("p_max", pa.float64()),
        pa.field("auc_to_p_max", pa.float64()),
        pa.field("auc_normalised", pa.list_(pa.float64())),
        pa.field("common", pa.float64()),
        pa.field("auc_common", pa.list_(pa.float64())),
        pa.field("difference", pa.list_(pa.float64())),
        pa.field("difference_low", pa.list_(pa.float64())),
        pa.field("difference_high", pa.list_(pa.float64())),
        pa.field("verdict", pa.string()),
        pa.field("kappa", pa.list_(pa.float64())),
        pa.field("kappa_edited", pa.list_(pa.float64())),
        pa.field("ranked", pa.bool_()),
    ]
    return TableSchema.of("dt_auc", VERSION, fields, row_group_rows=65536)
