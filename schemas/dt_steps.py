"""`dt_steps`: one row, what the classifiers say of one face after one step of one edit."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from schemas.arrays import to_numpy
from schemas.encodings import rows_in_group
from schemas.table_schema import TableSchema

VERSION = 1
SCORES = ("primal", "condition", "judge_primal", "judge_condition")


def dt_steps() -> TableSchema:
    """The schema of the scores from which DT curves are counted; latents are not kept.

    index      int64    number of the item: one request for one row
    step       int64    0 is the source
    request    int64    number of the request in the `requests` table beside this one: a pair, its lambdas
    row        int64    index of the latent that was edited
    strength   float32  how far along the way, signed
    stop       string   why the edit of this item ended: `done`, ...; steps after that are there, and stand still
    primal, condition              float32  scores of the pair's two attributes, under the names that the request has
                        for them, by the classifiers that are used for editing
    judge_primal, judge_condition  float32  the same by the judge

    Rows rise by (index, step).
    """
    fields = [
        pa.field("index", pa.int64()),
        pa.field("step", pa.int64()),
        pa.field("request", pa.int64()),
        pa.field("row", pa.int64()),
        pa.field("strength", pa.float32()),
        pa.field("stop", pa.string()),
        *(pa.field(name, pa.float32()) for name in SCORES),
    ]
    return TableSchema.of("dt_steps", VERSION, fields, rows_in_group(fields), key=("index", "step"))


def by_item(batches: Iterable[pa.RecordBatch], items: int, points: int) -> tuple[np.ndarray, np.ndarray]:
    """The row of each of I items, (I,), and its scores at each of P points, (I, P, 4); -1 and NaN of rejected items."""
    row_I = np.full(items, -1, dtype=np.int64)
    scores_IP4 = np.full((items, points, len(SCORES)), np.nan, dtype=np.float32)
    for batch in batches:
        index = to_numpy(batch["index"])
        row_I[index] = to_numpy(batch["row"])
        for place, name in enumerate(SCORES):
            scores_IP4[index, to_numpy(batch["step"]), place] = to_numpy(batch[name])
    return row_I, scores_IP4
