"""`grids`: one row, one choice of C and fraction that was tried for one direction."""

import pyarrow as pa

from schemas.table_schema import TableSchema

VERSION = 2


def grids() -> TableSchema:
    """The schema of what was tried on halves of the rows, C and fraction; beside a table of directions.

    index           int64    number of the direction: `directions.index`
    candidate       int64    number of the choice
    attribute       string   what the direction moves
    C               float64  SVM regularisation
    fraction        float64  of the rows, in each class; in the smaller one, where a threshold parts them
    rows_per_class  int64
    agreement       float64  cosine of the directions that two disjoint halves of the rows give; where C was chosen,
                             taken was the largest C within the job's margin of the highest
    validation      float64  share of the other half's classes that each puts on the right side; with an L1 penalty,
                             taken was the smallest C within one standard error of the highest

    Both are null where no hyperplane tells the classes of a half apart better than none does.

    Rows rise by (index, candidate).
    """
    fields = [
        pa.field("index", pa.int64()),
        pa.field("candidate", pa.int64()),
        pa.field("attribute", pa.string()),
        pa.field("C", pa.float64()),
        pa.field("fraction", pa.float64()),
        pa.field("rows_per_class", pa.int64()),
        pa.field("agreement", pa.float64()),
        pa.field("validation", pa.float64()),
    ]
    key, nullable = ("index", "candidate"), ("agreement", "validation")
    return TableSchema.of("grids", VERSION, fields, row_group_rows=65536, key=key, nullable=nullable)
