"""Shards that are published but not on record (the driver died in between): their records are read off the parts."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence

from pipeline.engine.attempt import REJECTS, Outputs
from pipeline.engine.outcome import Outcome
from pipeline.engine.stage import Task
from pipeline.errors import StoreError
from pipeline.tables import PartRecord, Table, part_name, store


def adopt(tasks: Sequence[Task], outputs: Outputs) -> Iterator[Outcome]:
    """An outcome for each task whose parts read back whole; a damaged one is left to be computed again."""
    for task in tasks:
        try:
            parts = {name: _inspect(table, task) for name, table in outputs.all.items()}
            reasons = outputs.rejects.read(columns=["reason"], shards=[task.shard])["reason"].to_pylist()
        except StoreError as error:
            yield Outcome(task.shard, error=str(error))
            continue
        whole = all(parts[name].rows + len(reasons) == task.rows for name in outputs.tables)
        if whole and parts[REJECTS].rows == len(reasons):
            yield Outcome(task.shard, parts, dict(Counter(reasons)))
        else:
            yield Outcome(task.shard, error=f"shard {task.shard} holds other rows than planned")


def _inspect(table: Table, task: Task) -> PartRecord:
    """The record of a published part, from its bytes: what the writer knew when it closed it."""
    name = part_name(task.shard, task.shards)
    content = store.read_bytes(store.join(table.url, name))
    if content is None:
        raise StoreError(f"{name} of {table.url} went away while it was looked at")
    index = table.read(columns=["index"], shards=[task.shard])["index"]
    first, last = (index[0].as_py(), index[-1].as_py()) if len(index) else (None, None)
    return PartRecord(name, task.shard, len(index), len(content), hashlib.sha256(content).hexdigest(), first, last)
