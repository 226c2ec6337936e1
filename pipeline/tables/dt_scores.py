"""The scores of DIR/dt_steps as arrays, read once: the small tables and the page are both counted from them."""

from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline.tables import store
from pipeline.tables.table import Table
from schemas.dt_steps import SCORES, by_item

Scores: TypeAlias = tuple[NDArray[np.int64], NDArray[np.float32]]


def read_dt_scores(out: str, items: int, points: int) -> Scores:
    """(I,) and (I, P, 4) as `schemas.dt_steps.by_item`, read-only. The last table that was read stays in memory.

    Raises:
        StoreError: the table is not sealed, or cannot be read.
    """
    url = store.join(out, "dt_steps")
    return _read(url, Table.open(url).digest, items, points)


@lru_cache(maxsize=1)
def _read(url: str, digest: str, items: int, points: int) -> Scores:
    """`digest`: of the table, so that another one in its place is read anew."""
    batches = Table.open(url).batches(["index", "row", "step", *SCORES], rows=2**16)
    row_I, scores_IP4 = by_item(batches, items, points)
    row_I.setflags(write=False)
    scores_IP4.setflags(write=False)
    return row_I, scores_IP4
