"""How rows are cut into shards. Shards begin on multiples of the micro-batch, so that row i is always slot i mod B."""

from collections.abc import Sequence

from pipeline.engine.stage import Task
from pipeline.errors import SpecError
from pipeline.tables import Layout


def cut(rows: int, rows_per_shard: int, batch_size: int, first: int = 0) -> Layout:
    """Rows [first, first + rows) in shards of `rows_per_shard`, the last one shorter.

    Raises:
        SpecError: `rows_per_shard` or `first` is not a multiple of `batch_size`.
    """
    if first % batch_size:
        raise SpecError(
            f"the first row {first} is not a multiple of batch_size {batch_size}, and micro-batches begin on those; "
            f"begin at {first - first % batch_size} or {first + batch_size - first % batch_size}"
        )
    if rows_per_shard % batch_size:
        nearest = max(batch_size, round(rows_per_shard / batch_size) * batch_size)
        raise SpecError(
            f"rows_per_shard {rows_per_shard} is not a multiple of batch_size {batch_size}; "
            f"pass --rows-per-shard {nearest}"
        )
    return Layout(rows, rows_per_shard, first)


def tasks(layout: Layout, present: Sequence[int] | None = None) -> list[Task]:
    """One task for each shard; `present` is how many rows each really has, where an earlier stage set some aside."""
    return [
        Task(shard, layout.shards, indices.start, indices.stop, None if present is None else present[shard])
        for shard, indices in ((shard, layout.indices(shard)) for shard in range(layout.shards))
    ]
