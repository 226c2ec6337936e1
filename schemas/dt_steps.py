"""`dt_steps`: one row, what the classifiers say of one face after one step of one edit."""

from collections.abc import Sequence

import pyarrow as pa

from schemas.edits import JUDGE
from schemas.encodings import rows_in_group
from schemas.table_schema import SchemaError, TableSchema

VERSION = 1
BEFORE = ("index", "step", "request", "row", "strength", "stop")


def dt_steps(scores: Sequence[str] = (), judge: Sequence[str] = ()) -> TableSchema:
    """The schema of the scores from which DT curves are counted; latents are not kept.

    index      int64    number of the item: one request for one row
    step       int64    0 is the source
    request    int64    number of the request in the `requests` table beside this one: a pair, its lambdas
    row        int64    index of the latent that was edited
    strength   float32  how far along the way, signed
    stop       string   why the edit of this item ended: `done`, `reached`, ...
    <score>        float32  of the classifiers that are used for editing, as in `labels`
    judge_<score>  float32  of the judge

    Rows rise by (index, step). Raises SchemaError for a score that is named twice, as another column, or as one of the
    judge's.
    """
    if odd := [name for name in scores if name.startswith(JUDGE)]:
        raise SchemaError(f"score '{odd[0]}' cannot be a column of dt_steps: `{JUDGE}` is for the judge's")
    columns = [*scores, *(JUDGE + name for name in judge)]
    taken = {*BEFORE, JUDGE}
    for name in columns:
        if not name or name in taken:
            raise SchemaError(f"score '{name}' cannot be a column of dt_steps: the name is empty or already taken")
        taken.add(name)
    fields = [
        pa.field("index", pa.int64()),
        pa.field("step", pa.int64()),
        pa.field("request", pa.int64()),
        pa.field("row", pa.int64()),
        pa.field("strength", pa.float32()),
        pa.field("stop", pa.string()),
        *(pa.field(name, pa.float32()) for name in columns),
    ]
    return TableSchema.of("dt_steps", VERSION, fields, rows_in_group(fields), key=("index", "step"))
