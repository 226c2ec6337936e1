"""One try at a task: run it, write its parts on a thread beside it, publish them together at the end.

The parts are staged while the rows come and published only when all are whole: rejects first, then the tables in the
stage's order. So a task is done exactly when all its parts exist, and a try that ends half way leaves nothing.
"""

import errno
import time
import traceback
from collections import Counter, defaultdict, deque
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import pyarrow as pa

import schemas
from pipeline.engine.outcome import Outcome
from pipeline.engine.stage import RAISED, Batch, Reject, Task, Worker
from pipeline.errors import StoreError, StylemillError
from pipeline.tables import Table

REJECTS = "rejects"
BATCHES_AHEAD = 2
STORE_PAUSE_SECONDS = 1.0
CLOSED = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS)


@dataclass(frozen=True)
class Outputs:
    """Where a job's rows go: its tables in publishing order, and the table of the rows set aside."""

    verb: str
    tables: Mapping[str, Table]
    rejects: Table

    @property
    def all(self) -> dict[str, Table]:
        return {REJECTS: self.rejects, **self.tables}


def attempt(worker: Worker, task: Task, outputs: Outputs) -> Outcome:
    """Run one task to its published parts. Whatever goes wrong comes back as an outcome with an error."""
    try:
        return _run(worker, task, outputs)
    except Exception as error:
        meant_for_user = isinstance(error, StylemillError)
        of_store = isinstance(error, StoreError)
        if of_store:
            time.sleep(STORE_PAUSE_SECONDS)
        return Outcome(
            shard=task.shard,
            error=str(error) if meant_for_user else f"{type(error).__name__}: {error}",
            traceback=traceback.format_exc(),
            retry=not meant_for_user or of_store,
            halt=meant_for_user and (not of_store or _store_is_closed(error)),
            broken="CUDA error" in str(error),
        )


def _store_is_closed(error: BaseException) -> bool:
    """Whether no other shard could be written either: the disk is full, or we may not write."""
    return isinstance(error.__cause__, OSError) and error.__cause__.errno in CLOSED


def _run(worker: Worker, task: Task, outputs: Outputs) -> Outcome:
    started = time.perf_counter()
    counters: defaultdict[str, float] = defaultdict(float)
    rejects: list[Reject] = []
    writers = {name: table.writer(task.shard, task.shards) for name, table in outputs.all.items()}

    def write(batch: Batch) -> None:
        begun = time.perf_counter()
        for name in outputs.tables:
            rows = batch.tables[name]
            writers[name].write(rows() if callable(rows) else rows)
        counters["write_seconds"] += time.perf_counter() - begun

    try:
        with ThreadPoolExecutor(1, thread_name_prefix="writer") as thread:
            writing: deque[Future[None]] = deque()
            for batch in worker.run(task):
                for name, value in batch.counters.items():
                    counters[name] += value
                rejects.extend(batch.rejects)
                writing.append(thread.submit(write, batch))
                if len(writing) > BATCHES_AHEAD:
                    writing.popleft().result()
            for written in writing:
                written.result()
        if task.rows > 1 and len(rejects) == task.rows and all(reject.reason == RAISED for reject in rejects):
            raise RuntimeError(f"every row of shard {task.shard} raised an error, the last: {rejects[-1].detail}")
        writers[REJECTS].write(_reject_rows(rejects, outputs.verb))
        parts = {name: writer.finish() for name, writer in writers.items()}
        for name in outputs.tables:
            if parts[name].rows + len(rejects) != task.rows:
                raise RuntimeError(
                    f"shard {task.shard}: table {name} got {parts[name].rows} rows and {len(rejects)} were set aside, "
                    f"of {task.rows}: the stage lost or doubled rows"
                )
        for writer in writers.values():
            writer.publish()
    finally:
        for writer in writers.values():
            writer.discard()
    counters["seconds"] = time.perf_counter() - started
    return Outcome(task.shard, parts, dict(Counter(reject.reason for reject in rejects)), dict(counters))


def _reject_rows(rejects: list[Reject], verb: str) -> pa.Table:
    ordered = sorted(rejects, key=lambda reject: reject.index)
    columns = {
        "index": [reject.index for reject in ordered],
        "stage": [verb] * len(ordered),
        "reason": [reject.reason for reject in ordered],
        "detail": [reject.detail for reject in ordered],
    }
    return pa.table(columns, schema=schemas.rejects().arrow)
