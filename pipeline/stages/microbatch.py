"""Rows are computed in micro-batches of one fixed shape B, aligned on the global index: row i is always slot i mod B.

So the arithmetic on a row is the same, whatever shard, worker or resume computes it. Slots with no row (at the ends of
a range, or of rejected rows) hold padding. Where a micro-batch raises, it is bisected, with padding in the other slots,
until the row that causes the error is alone; that row is rejected with its reason, and the other rows come out
unchanged. Where every row raises, a micro-batch of padding alone tells whether the rows are the cause.
"""

import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path, PurePath

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.engine.stage import NOT_FINITE, RAISED, Batch, Reject, Rows, Task
from pipeline.errors import StylemillError
from pipeline.models.backend import device_failed
from pipeline.stages.source import Indices, Latents
from schemas import TableSchema

Slots = NDArray[np.bool_]
Columns = Mapping[str, NDArray]
Compute = Callable[[Slots], Columns]
Computed = tuple[Indices, Columns, list[Reject]]
ROOT = Path(__file__).parents[2]


def aligned(first: int, stop: int, batch_size: int) -> Iterator[Indices]:
    """The indices of each micro-batch that touches [first, stop): all B slots, including those outside the range."""
    for start in range(first - first % batch_size, stop, batch_size):
        yield np.arange(start, start + batch_size, dtype=np.int64)


def computed_or_rejected(
    task: Task, batch_size: int, compute: Callable[[Indices, Slots], Columns], there: Indices | None = None
) -> Iterator[Computed]:
    """`compute_or_reject` for each micro-batch with wanted rows of a task.

    compute: takes the micro-batch's indices (B,) too.
    there: the rows that exist, in rising order; None if all do.
    """
    for index in aligned(task.first, task.stop, batch_size):
        wanted = task.wanted(index)
        if there is not None:
            wanted &= np.isin(index, there[slice(*np.searchsorted(there, [index[0], index[-1] + 1]))])
        if wanted.any():
            yield compute_or_reject(index, wanted, partial(compute, index))


def microbatches(
    latents: Latents, columns: Sequence[str], task: Task, size: int
) -> Iterator[tuple[Indices, Slots, Indices, pa.Table]]:
    """The wanted rows of a task in aligned blocks: index (B,), which of them are wanted (B,), the slots of the rows
    that exist, and these rows. Row i is in slot i mod B; B, `size`, is one micro-batch or several whole ones.
    """
    rows = latents.batches(columns, task.first, task.stop, rows=max(1024, size))
    for start, block in blocks(rows, size):
        index = np.arange(start, start + size, dtype=np.int64)
        place = block["index"].to_numpy() - start
        wanted = np.zeros(size, dtype=bool)
        wanted[place] = True
        wanted &= task.wanted(index)
        if wanted.any():
            yield index, wanted, place, block


def blocks(rows: Iterator[pa.RecordBatch], size: int) -> Iterator[tuple[int, pa.Table]]:
    """Split rows, in rising order of index, where index // size changes: (first index of the block, its rows)."""
    waiting: list[pa.RecordBatch] = []
    for batch in rows:
        index = batch["index"].to_numpy()
        cuts = [0, *(np.flatnonzero(np.diff(index // size)) + 1).tolist(), len(index)]
        for first, stop in pairwise(cuts):
            if first == stop:
                continue
            if waiting and waiting[0]["index"][0].as_py() // size != index[first] // size:
                yield _block(waiting, size)
                waiting = []
            waiting.append(batch.slice(first, stop - first))
    if waiting:
        yield _block(waiting, size)


def compute_or_reject(indices: Indices, wanted: Slots, compute: Compute) -> Computed:
    """Compute the wanted slots; return the indices and columns of the rows that succeed, and the rejected rows.

    `compute(slots)` returns columns of B rows, of which those outside `slots` are padding. A row with a value that is
    not finite is rejected. Errors that no row causes are raised: errors meant for the user, lack of memory, a broken
    device, and, where every row raises and padding alone raises too, the error of the padding.
    """
    pieces: list[tuple[Slots, Columns]] = []
    rejects: list[Reject] = []
    waiting = [wanted]
    while waiting:
        slots = waiting.pop()
        if not slots.any():
            continue
        try:
            columns = compute(slots)
        except (StylemillError, MemoryError):
            raise
        except Exception as error:
            if device_failed(error):
                raise
            if slots.sum() == 1:
                rejects.append(_raised(int(indices[slots][0]), error))
            else:
                waiting.extend(_halves(slots))
            continue
        good = slots & _finite(columns, len(slots))
        for slot in np.flatnonzero(slots & ~good):
            rejects.append(Reject(int(indices[slot]), NOT_FINITE, _culprits(columns, int(slot))))
        pieces.append((good, columns))
    if rejects and not pieces:
        compute(np.zeros_like(wanted))
    return _join(indices, pieces, rejects)


def batch_of(
    outputs: Mapping[str, TableSchema],
    came_out: Computed,
    tables: Callable[[Indices, Columns], Mapping[str, Rows]],
    counters: Mapping[str, float] | None = None,
) -> Batch:
    """The output of a micro-batch, for the engine. tables: makes the rows of each output from those that succeeded."""
    index, columns, rejects = came_out
    return Batch(tables(index, columns) if len(index) else no_rows(outputs), tuple(rejects), counters or {})


def no_rows(outputs: Mapping[str, TableSchema]) -> dict[str, Rows]:
    """An empty table for each output."""
    return {name: schema.arrow.empty_table() for name, schema in outputs.items()}


def rows_of(schema: TableSchema, columns: Mapping[str, object]) -> pa.Table:
    """The rows of one table, from all columns of a micro-batch."""
    return schema.rows({name: columns[name] for name in schema.arrow.names})


def trace_of(error: BaseException) -> str:
    """Where an error was raised, in the same words on every machine: without home directories and memory addresses.

    One line per frame, the innermost last: `pipeline/stages/dataset.py:63 in _compute: ws_NLW = ...`.
    """
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f"{_place(frame.filename)}:{frame.lineno} in {frame.name}: {frame.line}" for frame in frames]
    return "\n".join([*lines, *(line.strip() for line in traceback.format_exception_only(error))])


def _place(filename: str) -> str:
    path = PurePath(filename)
    if path.is_relative_to(ROOT):
        return path.relative_to(ROOT).as_posix()
    for marker in ("site-packages", "dist-packages"):
        if marker in path.parts:
            return PurePath(*path.parts[path.parts.index(marker) + 1 :]).as_posix()
    return path.name


def _block(pieces: list[pa.RecordBatch], size: int) -> tuple[int, pa.Table]:
    first: int = pieces[0]["index"][0].as_py()
    return first - first % size, pa.Table.from_batches(pieces)


def _raised(index: int, error: Exception) -> Reject:
    return Reject(index, RAISED, f"{type(error).__name__}: {error}", trace_of(error))


def _join(indices: Indices, pieces: list[tuple[Slots, Columns]], rejects: list[Reject]) -> Computed:
    if not pieces:
        return indices[:0], {}, rejects
    if len(pieces) == 1:
        good, columns = pieces[0]
        if good.all():
            return indices, columns, rejects
        return indices[good], {name: column[good] for name, column in columns.items()}, rejects
    kept = np.concatenate([np.flatnonzero(good) for good, _ in pieces])
    order = np.argsort(kept)
    names = pieces[0][1]
    joined = {name: np.concatenate([columns[name][good] for good, columns in pieces])[order] for name in names}
    return indices[kept[order]], joined, rejects


def _finite(columns: Columns, rows: int) -> Slots:
    finite = np.ones(rows, dtype=bool)
    for column in columns.values():
        if np.issubdtype(column.dtype, np.floating):
            finite &= np.isfinite(column).reshape(rows, -1).all(axis=1)
    return finite


def _culprits(columns: Columns, slot: int) -> str:
    floats = {name: column[slot] for name, column in columns.items() if np.issubdtype(column.dtype, np.floating)}
    return ", ".join(name for name, value in floats.items() if not np.isfinite(value).all())


def _halves(slots: Slots) -> list[Slots]:
    places = np.flatnonzero(slots)
    halves = []
    for half in np.array_split(places, 2):
        mask = np.zeros_like(slots)
        mask[half] = True
        halves.append(mask)
    return halves
