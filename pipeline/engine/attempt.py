"""One try at a task: run it, write its parts on a thread beside it, publish them together at the end.

The parts are staged while the rows come and published only when all are whole: rejects first, then the tables in the
stage's order. So a task is done exactly when all its parts exist, and a try that ends half way leaves nothing.
"""

import errno
import resource
import sys
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TypeAlias, cast

import numpy as np
import pyarrow as pa

import schemas
from pipeline.engine.checkpoints import Checkpoints
from pipeline.engine.lease_check import LeaseCheck
from pipeline.engine.merge import merged, published_rows
from pipeline.engine.outcome import Outcome, Reached, merge_counters
from pipeline.engine.stage import RAISED, Batch, Reject, Task, Trainer, Worker
from pipeline.errors import LeaseLost, StoreError, StylemillError
from pipeline.tables import Artifact, ArtifactFiles, PartWriter, Table, store

REJECTS = "rejects"
BATCHES_AHEAD = 2
STORE_PAUSE_SECONDS = 1.0
Attempt: TypeAlias = Generator[Reached, None, Outcome]
CLOSED = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS)
RSS_UNIT = 1 if sys.platform == "darwin" else 1024


@dataclass(frozen=True)
class Outputs:
    """Where a job's rows go: its tables in publishing order, the table of the rejected rows, and the run's lease.

    Or, in place of rows, its artifact, and the checkpoints on the way to it. url: the directory of all.
    """

    verb: str
    tables: Mapping[str, Table]
    rejects: Table
    lease_check: LeaseCheck | None = None
    artifact: Artifact | None = None
    checkpoints: Checkpoints | None = None
    url: str = ""

    @property
    def all(self) -> dict[str, Table | Artifact]:
        return {self.artifact.name: self.artifact} if self.artifact else {REJECTS: self.rejects, **self.tables}


def attempt(worker: Worker | Trainer, task: Task, outputs: Outputs) -> Attempt:
    """Run one task to its published parts. Whatever goes wrong comes back as an outcome with an error.

    Yields, after each batch, how far it is: how many of the task's rows are computed and written by now.
    """
    try:
        if outputs.artifact is not None:
            return (yield from _train(cast(Trainer, worker), task, outputs, outputs.artifact))
        task = _with_rejected(task, outputs) if task.again else task
        return (yield from _run(cast(Worker, worker), task, outputs))
    except Exception as error:
        for_user = isinstance(error, StylemillError)
        of_store = isinstance(error, StoreError)
        if of_store:
            time.sleep(STORE_PAUSE_SECONDS)
        return Outcome(
            shard=task.shard,
            error=str(error) if for_user else f"{type(error).__name__}: {error}",
            traceback=traceback.format_exc(),
            retry=not for_user or of_store,
            halt=for_user and (not of_store or _store_is_closed(error)),
            broken="CUDA error" in str(error),
            lease_lost=isinstance(error, LeaseLost),
        )


def outcome_of(attempt: Attempt, on_progress: Callable[[Reached], None] = lambda reached: None) -> Outcome:
    """Run an attempt to its end; `on_progress` is called with how far it is whenever that changes."""
    with closing(attempt):
        while True:
            try:
                on_progress(next(attempt))
            except StopIteration as end:
                outcome: Outcome = end.value
                return outcome


def _with_rejected(task: Task, outputs: Outputs) -> Task:
    index = outputs.rejects.read(columns=["index"], shards=[task.shard])["index"]
    return replace(task, only=tuple(index.to_pylist()))


def _store_is_closed(error: BaseException) -> bool:
    """Whether no other shard could be written either: the disk is full, or we may not write."""
    return isinstance(error.__cause__, OSError) and error.__cause__.errno in CLOSED


def _run(worker: Worker, task: Task, outputs: Outputs) -> Attempt:
    started = time.perf_counter()
    counters: dict[str, float] = {}
    rejects: list[Reject] = []
    tables = {REJECTS: outputs.rejects, **outputs.tables}
    writers = {name: table.writer(task.shard, task.shards) for name, table in tables.items()}
    try:
        with ThreadPoolExecutor(1, thread_name_prefix="writer") as thread:
            sink = _AppendRows(outputs, writers) if task.only is None else _MergeRows(outputs, writers, task)
            writing: deque[Future[None]] = deque()
            for batch in worker.run(task):
                merge_counters(counters, batch.counters)
                rejects.extend(batch.rejects)
                writing.append(thread.submit(sink.write, batch))
                if len(writing) > BATCHES_AHEAD:
                    writing.popleft().result()
                yield Reached(sink.rows)
            for written in writing:
                written.result()
        if task.only is None and task.rows > 1 and len(rejects) == task.rows and _all_raised(rejects):
            raise RuntimeError(f"every row of shard {task.shard} raised an error, the last: {rejects[-1].detail}")
        reasons = sink.close(_reject_rows(rejects, outputs.verb))
        parts = {name: writer.finish() for name, writer in writers.items()}
        for name in outputs.tables:
            made, rejected = parts[name].planned_rows, parts[REJECTS].rows
            if made + rejected != task.rows:
                raise RuntimeError(
                    f"shard {task.shard}: table {name} got {made} rows and {rejected} were rejected, of {task.rows}: "
                    "the stage lost or doubled rows"
                )
        for writer in writers.values():
            if outputs.lease_check:
                outputs.lease_check.check()
            writer.publish()
    finally:
        for writer in writers.values():
            writer.discard()
    counters |= {"write_seconds": sink.seconds, "seconds": time.perf_counter() - started, "peak_rss_bytes": _peak()}
    return Outcome(task.shard, parts, reasons, counters)


def _train(worker: Trainer, task: Task, outputs: Outputs, artifact: Artifact) -> Attempt:
    """As `_run`, of a task that makes an artifact: from its last checkpoint to the published files."""
    started = time.perf_counter()
    counters: dict[str, float] = {}
    made: ArtifactFiles | None = None
    checkpoints = outputs.checkpoints and replace(outputs.checkpoints, lease_check=outputs.lease_check)
    for progress in worker.run(replace(task, checkpoints=checkpoints)):
        merge_counters(counters, progress.counters)
        made = progress.made
        yield Reached(progress.steps, progress.said)
    if made is None:
        raise RuntimeError("the stage ended without the files of its artifact")
    record = artifact.publish(made, outputs.lease_check.check if outputs.lease_check else lambda: None)
    counters |= {"seconds": time.perf_counter() - started, "peak_rss_bytes": _peak()}
    return Outcome(task.shard, {artifact.name: replace(record, rows=task.rows)}, {}, counters)


def _peak() -> float:
    """Most memory of this process so far, in bytes."""
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * RSS_UNIT)


class _AppendRows:
    """Rows are written to their parts as they come. `rows`: how many of the planned ones have come."""

    def __init__(self, outputs: Outputs, writers: Mapping[str, PartWriter]) -> None:
        self._outputs, self._writers, self.seconds, self.rows = outputs, writers, 0.0, 0

    def write(self, batch: Batch) -> None:
        begun, seen = time.perf_counter(), 0
        _write_files(batch, self._outputs)
        for name, rows in _made(batch, self._outputs):
            self._writers[name].write(rows)
            seen = _indices(rows)
        self.rows += seen + len(batch.rejects)
        self.seconds += time.perf_counter() - begun

    def close(self, rejects: pa.Table) -> dict[str, int]:
        """Write the rejects; how many rows are rejected, by reason."""
        self._writers[REJECTS].write(rejects)
        return dict(Counter(rejects["reason"].to_pylist()))


class _MergeRows:
    """Rejected rows that are tried again: kept until the end, then merged with the rows published before."""

    def __init__(self, outputs: Outputs, writers: Mapping[str, PartWriter], task: Task) -> None:
        self._outputs, self._writers, self._task, self.seconds, self.rows = outputs, writers, task, 0.0, 0
        self._rows: dict[str, list[pa.Table]] = {
            name: [table.schema.arrow.empty_table()] for name, table in outputs.tables.items()
        }

    def write(self, batch: Batch) -> None:
        seen = 0
        for name, rows in _made(batch, self._outputs):
            self._rows[name].append(rows)
            seen = _indices(rows)
        self.rows += seen + len(batch.rejects)

    def close(self, rejects: pa.Table) -> dict[str, int]:
        """Write all rows, old and new; how many are rejected now, by reason."""
        begun = time.perf_counter()
        reasons: Counter[str] = Counter()
        for rows in merged(published_rows(self._outputs.rejects, self._task), rejects):
            reasons.update(rows["reason"].to_pylist())
            self._writers[REJECTS].write(rows)
        for name, table in self._outputs.tables.items():
            for rows in merged(published_rows(table, self._task), pa.concat_tables(self._rows[name])):
                self._writers[name].write(rows)
        self.seconds += time.perf_counter() - begun
        return dict(reasons)


def _made(batch: Batch, outputs: Outputs) -> Iterator[tuple[str, pa.Table]]:
    for name in outputs.tables:
        rows = batch.tables[name]
        yield name, rows() if callable(rows) else rows


def _write_files(batch: Batch, outputs: Outputs) -> None:
    """Each whole. Equal jobs make equal files: those of an attempt that ends here are written over by the next."""
    if batch.files and outputs.lease_check:
        outputs.lease_check.check()
    for name, content in batch.files.items():
        store.write_atomic(store.join(outputs.url, name), content)


def _indices(rows: pa.Table) -> int:
    """How many of the planned rows these are, which come in rising order of index, some of them several times."""
    return int(np.count_nonzero(np.diff(rows["index"].to_numpy(), prepend=-1)))


def _all_raised(rejects: list[Reject]) -> bool:
    return all(reject.reason == RAISED for reject in rejects)


def _reject_rows(rejects: list[Reject], verb: str) -> pa.Table:
    ordered = sorted(rejects, key=lambda reject: reject.index)
    columns = {
        "index": [reject.index for reject in ordered],
        "stage": [verb] * len(ordered),
        "reason": [reject.reason for reject in ordered],
        "detail": [reject.detail for reject in ordered],
        "traceback": [reject.traceback for reject in ordered],
    }
    return pa.table(columns, schema=schemas.rejects().arrow)
