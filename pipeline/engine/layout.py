"""How rows are cut into shards. Shards after the first begin on multiples of the micro-batch, so that none is computed
twice: row i is slot i mod B wherever they begin."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.engine.stage import Task
from pipeline.errors import SpecError
from pipeline.tables import Layout

MAX_SHARDS = 1_000_000
"""Of one job: each is a task in the driver's memory, a line of its records, and a file in every table."""


def cut(rows: int, rows_per_shard: int, batch_size: int, first: int = 0) -> Layout:
    """Rows [first, first + rows) in shards of `rows_per_shard`, the last one shorter.

    Where `first` is not a multiple of `batch_size`, the first shard is shorter too: the others begin on multiples.

    Raises:
        SpecError: `rows_per_shard` is not a multiple of `batch_size`, or there would be more than `MAX_SHARDS`.
    """
    _check(rows_per_shard, batch_size)
    if (shards := -(-rows // rows_per_shard)) > MAX_SHARDS:
        least = -(-rows // (MAX_SHARDS * batch_size)) * batch_size
        raise SpecError(
            f"{rows:,} rows in shards of {rows_per_shard:,} would be {shards:,} shards, and a job has {MAX_SHARDS:,} "
            f"at most: split the rows (--range FIRST:STOP, each job with an --out of its own), or pass "
            f"--rows-per-shard {least} or more"
        )
    if lead := first % batch_size:
        later = range(first - lead + rows_per_shard, first + rows, rows_per_shard)
        return Layout(rows, rows_per_shard, first, (first, *later, first + rows))
    return Layout(rows, rows_per_shard, first)


def cut_chosen(indices: NDArray[np.int64], rows_per_shard: int, batch_size: int) -> tuple[Layout, list[int]]:
    """How chosen rows, in rising order, are cut, and how many of them each shard has.

    A shard is as many micro-batches as `rows_per_shard` makes, of those that any of the rows is in: so many are
    computed, however few of their slots are filled.

    Raises:
        SpecError: `rows_per_shard` is not a multiple of `batch_size`, or there is no row.
    """
    _check(rows_per_shard, batch_size)
    if not len(indices):
        raise SpecError("no row is chosen")
    _, firsts = np.unique(indices // batch_size, return_index=True)
    firsts = firsts[:: rows_per_shard // batch_size]
    stop = int(indices[-1]) + 1
    starts = [int(indices[0]), *(int(indices[place]) // batch_size * batch_size for place in firsts[1:])]
    present = np.diff([*firsts, len(indices)]).tolist()
    return Layout(len(indices), rows_per_shard, starts[0], (*starts, stop)), present


def _check(rows_per_shard: int, batch_size: int) -> None:
    if rows_per_shard % batch_size:
        nearest = max(batch_size, round(rows_per_shard / batch_size) * batch_size)
        raise SpecError(
            f"rows_per_shard {rows_per_shard} is not a multiple of batch_size {batch_size}; "
            f"pass --rows-per-shard {nearest}"
        )


def tasks(layout: Layout, present: Sequence[int] | None = None) -> list[Task]:
    """One task for each shard; `present` is how many rows each really has, where an earlier stage rejected some."""
    return [
        Task(shard, layout.shards, indices.start, indices.stop, None if present is None else present[shard])
        for shard, indices in ((shard, layout.indices(shard)) for shard in range(layout.shards))
    ]
