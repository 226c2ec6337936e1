"""Shards that are published but not on record (the driver died in between): their records are made from the parts."""

from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

from pipeline.engine.attempt import REJECTS, Outputs
from pipeline.engine.outcome import Outcome
from pipeline.engine.stage import Task
from pipeline.errors import Damaged

SHARDS_AT_ONCE = 4  # each holds one row group, and one part on the temporary disk where it lies in an object store


def recover_outcomes(tasks: Sequence[Task], outputs: Outputs) -> Iterator[Outcome]:
    """An outcome for each task whose parts read back whole; a damaged one is left to be computed again.

    Raises StoreError where a part cannot be read from here: it may be whole.
    """
    with ThreadPoolExecutor(SHARDS_AT_ONCE, thread_name_prefix="recovery") as threads:
        reading: deque[Future[Outcome]] = deque()
        for task in tasks:
            if len(reading) == SHARDS_AT_ONCE:
                yield reading.popleft().result()
            reading.append(threads.submit(_recovered, task, outputs))
        for one in reading:
            yield one.result()


def _recovered(task: Task, outputs: Outputs) -> Outcome:
    try:
        if outputs.artifact is not None:
            record = replace(outputs.artifact.inspect(), rows=task.rows)
            return Outcome(task.shard, {outputs.artifact.name: record})
        tables = {REJECTS: outputs.rejects, **outputs.tables}
        parts = {name: table.inspect(task.shard) for name, table in tables.items()}
        reasons = outputs.rejects.read(columns=["reason"], shards=[task.shard])["reason"].to_pylist()
    except Damaged as error:
        return Outcome(task.shard, error=str(error))
    whole = all(parts[name].planned_rows + len(reasons) == task.rows for name in outputs.tables)
    if whole and parts[REJECTS].rows == len(reasons):
        return Outcome(task.shard, parts, dict(Counter(reasons)))
    return Outcome(task.shard, error=f"shard {task.shard} holds other rows than planned")
