"""`edits`: one row, one latent on the way of an edit."""

from collections.abc import Sequence

import pyarrow as pa

from schemas.encodings import rows_in_group
from schemas.table_schema import SchemaError, TableSchema

VERSION = 1
JUDGE = "judge_"
BEFORE = ("index", "request", "step", "strength", "stop", "space", "latent")
AFTER = ("generator",)


def edits(shape: Sequence[int] = (512,), scores: Sequence[str] = (), judge: Sequence[str] = ()) -> TableSchema:
    """The schema of a table of edits: one space to a table, several rows for each index.

    index      int64    global row number of the latent that was edited
    request    int64    number of the request in the `requests` table beside this one
    step       int64    0 is the source
    strength   float32  how far along the direction, signed
    stop       string   why the edit of this index and request ended: `done`, `reached`, ...
    space      string   z | w | w+ | s, one to a table
    latent     FSL<float32>[W] in z, w and s, FSL<FSL<float32>[W]>[L] in w+: of `shape` (W,) or (L, W)
    <score>        float32  of the classifiers that are used for editing, as in `labels`
    judge_<score>  float32  of the judge
    generator  string   name of the generator; of a file its digest, and the options behind it

    Rows rise by (index, request, step). Raises SchemaError for a shape of other than one or two dimensions, and for a
    score that is named twice, as another column, or as one of the judge's.
    """
    if len(shape) not in (1, 2) or min(shape) < 1:
        raise SchemaError(f"a latent has one or two dimensions, none of them empty, not the shape {tuple(shape)}")
    latent = pa.float32()
    for size in reversed(shape):
        latent = pa.list_(latent, size)
    if odd := [name for name in scores if name.startswith(JUDGE)]:
        raise SchemaError(f"score '{odd[0]}' cannot be a column of edits: `{JUDGE}` is for the judge's")
    columns = [*scores, *(JUDGE + name for name in judge)]
    taken = {*BEFORE, *AFTER, JUDGE}
    for name in columns:
        if not name or name in taken:
            raise SchemaError(f"score '{name}' cannot be a column of edits: the name is empty or already taken")
        taken.add(name)
    fields = [
        pa.field("index", pa.int64()),
        pa.field("request", pa.int64()),
        pa.field("step", pa.int64()),
        pa.field("strength", pa.float32()),
        pa.field("stop", pa.string()),
        pa.field("space", pa.string()),
        pa.field("latent", latent),
        *(pa.field(name, pa.float32()) for name in columns),
        pa.field("generator", pa.string()),
    ]
    return TableSchema.of("edits", VERSION, fields, rows_in_group(fields), key=("index", "request", "step"))


def kept_steps(keep: str, steps: int) -> tuple[int, ...]:
    """Which of the steps 0 (the source) to `steps` go into a table of edits: all, last, or every N-th and the last."""
    if keep == "last":
        return (steps,)
    every = 1 if keep == "all" else int(keep)
    return tuple(sorted({*range(0, steps + 1, every), steps}))
