"""`directions`: one row, one direction in a latent space."""

import pyarrow as pa

from schemas.table_schema import TableSchema

VERSION = 1
ACCURACIES = ("train", "validation", "remaining", "all")


def directions() -> TableSchema:
    """The schema of a table of directions, of any spaces side by side.

    index       int64    number of the direction
    attribute   string   what it moves
    method      string   svm | svm-l1 | svm-l1-normal | ridge | mean-gradient | ganspace | random |
                         sefa | channel | imported
    space       string   z | w | w+ | s
    vector      list<float32>  of norm 1, flattened
    shape       list<int32>    of the vector: (Z,), (W,), (L, W) or (S,); (W,) in w+ is shared by all layers
    intercept   float64  of its hyperplane: distance(x) = <vector, x> + intercept
    conditions  list<string>   the attributes that it was made to leave alone
    C, fraction, accuracy_train, accuracy_validation, accuracy_remaining, accuracy_all
                list<float64>  none or one: how it was fitted, and how much of the rows it tells apart
    rows        list<int64>    none or one: how many rows it was fitted on
    generator   string   fingerprint of the generator whose space it is; empty where unknown
    classifier  string   what scored the rows; empty where none or unknown

    At most 100 rows make a row group: about 5 MB in w+.
    """
    numbers = ["C", "fraction", *(f"accuracy_{name}" for name in ACCURACIES)]
    fields = [
        pa.field("index", pa.int64()),
        pa.field("attribute", pa.string()),
        pa.field("method", pa.string()),
        pa.field("space", pa.string()),
        pa.field("vector", pa.list_(pa.float32())),
        pa.field("shape", pa.list_(pa.int32())),
        pa.field("intercept", pa.float64()),
        pa.field("conditions", pa.list_(pa.string())),
        *(pa.field(name, pa.list_(pa.float64())) for name in numbers),
        pa.field("rows", pa.list_(pa.int64())),
        pa.field("generator", pa.string()),
        pa.field("classifier", pa.string()),
    ]
    return TableSchema.of("directions", VERSION, fields, row_group_rows=100)
