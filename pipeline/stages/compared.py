"""Rows of edits that are compared with their sources: a block of them, and what their groups come to.

Shapes: M rows of a block, N of them, B slots of a micro-batch.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

import schemas
from pipeline.editors import EditRequest
from pipeline.errors import SpecError
from pipeline.metrics import Numbers, pairs
from pipeline.metrics.face_metric import FaceMetric
from pipeline.models.codes import Codes, Space
from pipeline.stages.microbatch import Indices
from pipeline.stages.models import Model, Truncated
from pipeline.tables import Table
from schemas.edits import JUDGE

Group = tuple[int, int, int, str]
"""Request, step, side, and what was measured."""
KEYS = ("index", "request", "step", "strength")


@dataclass(frozen=True)
class Source:
    """A table of edits, its requests, and what its faces are made with.

    name: as the job was given it. scored: whether the judge's scores are in the table.
    kept: the steps that were to be kept, where rows may end before others do: one that has ended stands still, and
        counts in each later step too. None where each row has each step.
    """

    name: str
    table: Table
    parts: int
    space: Space
    requests: Mapping[int, EditRequest]
    generator: Model
    truncated: Truncated
    scored: bool
    kept: tuple[int, ...] | None = None


class Block:
    """Rows of edits whose indices lie within [first, first + B): row i is in slot i - first of its request and step.

    steps: each request and step that there is, in rising order.
    """

    def __init__(self, source: Source, rows: pa.Table, first: int, size: int) -> None:
        self.source, self._rows, self._size = source, rows, size
        self._index, self._request, self._step, self._strength = (rows[name].to_numpy() for name in KEYS)
        self._slot = self._index - first
        self.steps: list[tuple[int, int]] = sorted(set(zip(self._request.tolist(), self._step.tolist(), strict=True)))

    def groups(self) -> Iterator[tuple[tuple[int, int, int], Indices]]:
        """Request, step and side, and the places (N,) of the edited rows. Raises SpecError where one has no source."""
        sides = {number: request.sides for number, request in self.source.requests.items()}
        found = pairs(self._index, self._request, self._step, self._strength, sides, self.source.kept)
        return ((group, edited) for group, _, edited in found)

    def moved(self, request: int, its: Indices) -> Indices:
        """Of these rows those that were edited: they do not stand at their source, as rows that ended before the first
        step do, and those of a request until a score that had reached it before.
        """
        moved = self._step[its] > 0
        if self.source.requests[request].until is not None:
            moved &= self._strength[its] != 0
        return its[moved]

    def places(self, request: int, step: int) -> Indices:
        """(N,): of the rows of this request and step."""
        return np.flatnonzero((self._request == request) & (self._step == step))

    def slots(self, its: Indices) -> NDArray[np.bool_]:
        """(B,): in which slots these rows are; the others are padding."""
        found = np.zeros(self._size, dtype=bool)
        found[self._slot[its]] = True
        return found

    def codes(self, its: Indices) -> Codes:
        """(B, ...): the rows' latents in their slots."""
        return Codes(self.source.space, torch.from_numpy(self._latent[its])).in_slots(self._slot[its], self._size)

    @cached_property
    def _latent(self) -> NDArray[np.float32]:
        return schemas.to_numpy(self._rows["latent"])

    def scores(self, its: Indices, attributes: Sequence[str]) -> dict[str, NDArray[np.float32]]:
        """(B,) by attribute: the judge's scores of the rows in their slots, as the table has them."""
        found = {}
        for name in attributes:
            found[name] = np.zeros(self._size, np.float32)
            found[name][self._slot[its]] = self._rows[JUDGE + name].to_numpy()[its]
        return found

    def check(self, columns: Mapping[str, NDArray], its: Indices) -> None:
        """Raise SpecError, which names the row, where a column (B,) is not finite in a slot of these rows."""
        for row in its:
            for name, column_B in columns.items():
                if not np.isfinite(column_B[self._slot[row]]):
                    where = f"row {self._index[row]}, request {self._request[row]}, step {self._step[row]}"
                    raise SpecError(f"{self.source.table.url}: {where}: {name} is not finite: edit less far")

    def put(self, batch: tuple[NDArray[Any], ...], its: Indices, values: dict[str, Any], measured: str) -> None:
        """Move the rows of a metric's batch (B, ...) from their slots to their places in values[measured] (M, ...)."""
        if measured not in values:
            empty = (np.zeros((len(self._index), *column.shape[1:]), column.dtype) for column in batch)
            values[measured] = type(batch)(*empty)
        for column_M, column_B in zip(values[measured], batch, strict=True):
            column_M[its] = column_B[self._slot[its]]


class Sums:
    """What one metric says of the groups of one part of a table."""

    def __init__(self, metric: FaceMetric) -> None:
        self.metric = metric
        self._waiting: dict[Group, list[tuple[NDArray[Any], ...]]] = {}
        self._measured: dict[Group, Numbers] = {}

    def add(self, group: Group, batch: tuple[NDArray[Any], ...], its: Indices) -> None:
        """Further rows of a group: these places of a batch (M, ...)."""
        self._waiting.setdefault(group, []).append(type(batch)(*(column[its] for column in batch)))

    def end_block(self) -> None:
        """Measure what has been added, unless the metric waits for the end of the part."""
        if not self.metric.by_part:
            self._measure()

    def groups(self) -> dict[Group, Numbers]:
        """The partial of each group, in rising order of request and step, where the metric waits for the end."""
        self._measure()
        return self._measured

    def _measure(self) -> None:
        for group in sorted(self._waiting, key=lambda one: (one[0], one[1], -one[2])):
            pieces = self._waiting[group]
            numbers = self.metric.measure(type(pieces[0])(*map(np.concatenate, zip(*pieces, strict=True))))
            before = self._measured.get(group)
            self._measured[group] = numbers if before is None else self.metric.merge([before, numbers])
        self._waiting.clear()
