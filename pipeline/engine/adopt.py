"""Shards that are published but not on record (the driver died in between): their records are read off the parts."""

from collections import Counter
from collections.abc import Iterator, Sequence

from pipeline.engine.attempt import REJECTS, Outputs
from pipeline.engine.outcome import Outcome
from pipeline.engine.stage import Task
from pipeline.errors import StoreError


def adopt(tasks: Sequence[Task], outputs: Outputs) -> Iterator[Outcome]:
    """An outcome for each task whose parts read back whole; a damaged one is left to be computed again."""
    for task in tasks:
        try:
            parts = {name: table.inspect(task.shard) for name, table in outputs.all.items()}
            reasons = outputs.rejects.read(columns=["reason"], shards=[task.shard])["reason"].to_pylist()
        except StoreError as error:
            yield Outcome(task.shard, error=str(error))
            continue
        whole = all(parts[name].planned_rows + len(reasons) == task.rows for name in outputs.tables)
        if whole and parts[REJECTS].rows == len(reasons):
            yield Outcome(task.shard, parts, dict(Counter(reasons)))
        else:
            yield Outcome(task.shard, error=f"shard {task.shard} holds other rows than planned")
