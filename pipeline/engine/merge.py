"""Merge rows that were rejected once and tried again with those published before, in order of index."""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa

from pipeline.engine.stage import Task
from pipeline.tables import Table


def published_rows(table: Table, task: Task) -> Iterator[pa.Table]:
    """The published rows of a shard, a few at a time, without those that the task tries again."""
    for batch in table.batches(shards=[task.shard]):
        rows = pa.Table.from_batches([batch])
        yield rows.filter(pa.array(~np.isin(rows["index"].to_numpy(), task.only or ())))


def merged(old: Iterable[pa.Table], new: pa.Table) -> Iterator[pa.Table]:
    """All rows in rising order of index, each once; both come in that order. `new` is in memory, `old` streams."""
    index, place = new["index"].to_numpy(), 0
    for rows in old:
        if not rows.num_rows:
            continue
        stop = int(np.searchsorted(index, rows["index"][-1].as_py()))
        yield _in_order(rows, new.slice(place, stop - place))
        place = stop
    yield new.slice(place)


def _in_order(rows: pa.Table, between: pa.Table) -> pa.Table:
    if not between.num_rows:
        return rows
    both = pa.concat_tables([rows, between])
    return both.take(np.argsort(both["index"].to_numpy(), kind="stable"))
