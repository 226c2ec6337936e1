"""Rows are computed in micro-batches of one fixed shape B, aligned on the global index: row i is always slot i mod B.

So a row meets the same arithmetic whatever shard, worker or resume it falls into. Slots with no row (tails, rows set
aside) hold padding. Where a micro-batch fails as a whole, it is bisected with padding in the other slots until the row
that breaks it stands alone; that row is set aside with its reason and its neighbours come out as ever. Where no row of
it comes out, one of padding alone tells whether the rows are to blame or what they were computed with.
"""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from pipeline.engine.stage import NOT_FINITE, RAISED, Reject
from pipeline.errors import StylemillError
from pipeline.models.backend import device_failed
from pipeline.stages.traces import trace

Slots = NDArray[np.bool_]
Indices = NDArray[np.int64]
Columns = Mapping[str, NDArray]
Compute = Callable[[Slots], Columns]
Settled = tuple[Indices, Columns, list[Reject]]


def aligned(first: int, stop: int, batch_size: int) -> Iterator[Indices]:
    """The indices of each micro-batch that touches [first, stop), all B slots of it, also those outside the range."""
    for start in range(first - first % batch_size, stop, batch_size):
        yield np.arange(start, start + batch_size, dtype=np.int64)


def settle(indices: Indices, wanted: Slots, compute: Compute) -> Settled:
    """Compute the wanted slots; return the indices and columns of the rows that came out, and the rows set aside.

    `compute(slots)` returns columns of B rows, of which those outside `slots` are padding. A row with a value that is
    not finite is set aside. What is no row's fault goes up: errors meant for the user, lack of memory, a broken device,
    and, where every row raises, the error that padding alone raises too.
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


def _raised(index: int, error: Exception) -> Reject:
    return Reject(index, RAISED, f"{type(error).__name__}: {error}", trace(error))


def _join(indices: Indices, pieces: list[tuple[Slots, Columns]], rejects: list[Reject]) -> Settled:
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
