"""Linear edits of latents that are in a table; where asked, the edited faces are made, scored and kept.

Shapes: N rows, B slots of a micro-batch, R requests, K kept steps; `...` stands for the shape of one row of codes.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

import schemas
from pipeline.directions import Direction
from pipeline.editing import NOT_FINITE, InterFaceGAN, Requests, Search, Trace, Truncation
from pipeline.editing.linear import Mode
from pipeline.editing.request import Target
from pipeline.engine.stage import Batch, Rows, Task
from pipeline.models.codes import Codes, Space
from pipeline.models.generators import Generator
from pipeline.stages.codes import codes_of, needed_columns
from pipeline.stages.looking import Looker, Panel, Truncated, padded
from pipeline.stages.microbatch import Columns, Slots, settle
from pipeline.stages.models import Model, Runtime, open_generator
from pipeline.stages.pictures import EXTENSIONS, Keep
from pipeline.tables import Table
from schemas import TableSchema

BLOCK_BYTES = 2**25
"""Of float64 codes in one go where no network is at work."""


@dataclass(frozen=True)
class Asked:
    """One request: how far along which direction, or until which score of the classifiers' `scored`, times `sign`."""

    direction: Direction
    strengths: tuple[float, ...] = ()
    until: float | None = None
    target: Target = "1"
    scored: str = ""
    sign: int = 1

    @property
    def steps(self) -> int:
        """How many there are after the source."""
        return 1 if self.until is not None else len(self.strengths)


@dataclass(frozen=True)
class EditStage:
    """Edit the rows of a latents table; shard k reads that table's part k.

    shape: of one row of codes in `space`. kept: the steps that go into the table. search: how far `until` may go.
    editing: the family that `until` is looked up with. panels: whose scores become columns.
    """

    latents: Table
    space: Space
    shape: tuple[int, ...]
    requests: tuple[Asked, ...]
    mode: Mode
    layers: tuple[int, ...] | None
    psi_after: float | None
    kept: tuple[int, ...]
    generator: Model
    truncated: Truncated
    editing: Panel | None
    panels: tuple[Panel, ...]
    keep: Keep | None
    search: Search
    runtime: Runtime
    name: str = field(default="edit", init=False)
    version: int = field(default=1, init=False)

    @property
    def outputs(self) -> Mapping[str, TableSchema]:
        pictures = {"edit_images": schemas.edit_images()} if self.keep else {}
        return {**pictures, "edits": self.edits}

    @property
    def edits(self) -> TableSchema:
        own = [name for panel in self.panels if not panel.prefix for name in panel.attributes]
        judged = [name for panel in self.panels if panel.prefix for name in panel.attributes]
        return schemas.edits(self.shape, own, judged)

    @property
    def looks(self) -> bool:
        """Whether a face is made of every kept step."""
        return bool(self.panels) or self.keep is not None

    @property
    def block(self) -> int:
        """Rows edited together: a micro-batch where networks are at work, else as many whole ones as there is room."""
        batch_size = self.runtime.batch_size
        if self.looks or self.editing is not None:
            return batch_size
        row_bytes = 8 * int(np.prod(self.shape)) * (1 + max(asked.steps for asked in self.requests))
        return batch_size * max(1, min(8192, BLOCK_BYTES // row_bytes) // batch_size)

    def open(self) -> "EditWorker":
        return EditWorker(self)


class EditWorker:
    """The stage with its models open; those that no row needs stay closed."""

    def __init__(self, stage: EditStage) -> None:
        self.stage = stage
        self.generator: Generator | None = None
        self.looker: Looker | None = None
        self.seeker: Looker | None = None
        if stage.looks or stage.editing or stage.psi_after is not None or stage.space != "w":
            self.generator = open_generator(stage.generator, stage.runtime)
            open_looker = partial(Looker, self.generator, stage.runtime, truncated=stage.truncated)
            self.looker = open_looker(stage.panels, stage.keep) if stage.looks else None
            self.seeker = open_looker([stage.editing]) if stage.editing else None
        self.editors = [self._editor(asked) for asked in stage.requests]

    def run(self, task: Task) -> Iterator[Batch]:
        """One batch for each block of rows, aligned on the index; a row keeps the slot that its index gives it."""
        stage = self.stage
        columns = needed_columns(stage.latents.schema, stage.space)
        rows = stage.latents.batches(columns, [task.shard], rows=max(1024, stage.block))
        for start, block in blocks(rows, stage.block):
            index = np.arange(start, start + stage.block, dtype=np.int64)
            place = block["index"].to_numpy() - start
            wanted = np.zeros(stage.block, dtype=bool)
            wanted[place] = True
            wanted &= task.wanted(index)
            if not wanted.any():
                continue
            found = codes_of(block, stage.space, self.generator)
            values = torch.zeros(stage.block, *found.values.shape[1:])
            values[torch.from_numpy(place)] = found.values
            codes = Codes(stage.space, values)
            kept, made, rejects = settle(index, wanted, partial(self._compute, codes))
            yield Batch(self._tables(kept, made), tuple(rejects), self._seconds())

    def _compute(self, codes: Codes, slots: Slots) -> Columns:
        stage = self.stage
        rows, requests, kept = len(slots), len(stage.requests), len(stage.kept)
        latent = np.empty((rows, requests, kept, *stage.shape), dtype=np.float32)
        strength = np.empty((rows, requests, kept), dtype=np.float32)
        stopped: list[tuple[str, ...]] = []
        some = padded(codes, slots, np.nan if self.seeker else 0.0)  # nothing is sought for a row that is not finite
        for place, (asked, editor) in enumerate(zip(stage.requests, self.editors, strict=True)):
            trace = editor.edit(some, _requests(asked, rows))
            latent[:, place] = trace.values[:, list(stage.kept)].numpy()
            strength[:, place] = _strengths(trace)[:, list(stage.kept)].float().numpy()
            stopped.append(trace.stops)
        columns: dict[str, NDArray] = {"latent": latent, "strength": strength}
        if self.seeker:
            columns["stop"] = np.array(stopped).T
        return {**columns, **self._look(latent, slots)} if self.looker else columns

    def _look(self, latent: NDArray[np.float32], slots: Slots) -> dict[str, NDArray]:
        """Columns (B, R, K) of every kept step; the source, which all requests share, is made once."""
        assert self.looker is not None
        stage = self.stage
        seen: dict[tuple[int, int], dict[str, NDArray]] = {}
        for request in range(len(stage.requests)):
            for place, step in enumerate(stage.kept):
                if step == 0 and request:
                    seen[request, place] = seen[0, place]
                    continue
                codes = Codes(stage.space, torch.from_numpy(np.ascontiguousarray(latent[:, request, place])))
                seen[request, place] = self.looker.look(padded(codes, slots))
        places = range(len(stage.kept))

        def together(name: str) -> NDArray:
            by_request = [[seen[request, place][name] for place in places] for request in range(len(stage.requests))]
            return np.stack([np.stack(columns, axis=1) for columns in by_request], axis=1)

        return {name: together(name) for name in seen[0, 0]}

    def _tables(self, index: NDArray[np.int64], made: Columns) -> dict[str, Rows]:
        stage = self.stage
        if not len(index):
            return {name: schema.arrow.empty_table() for name, schema in stage.outputs.items()}
        requests, kept = len(stage.requests), len(stage.kept)
        stop: object = np.repeat(made["stop"].ravel(), kept).tolist() if "stop" in made else "done"
        keys = {
            "index": np.repeat(index, requests * kept),
            "request": np.tile(np.repeat(np.arange(requests), kept), len(index)),
            "step": np.tile(np.array(stage.kept), len(index) * requests),
        }
        flat = {
            name: made[name].reshape(-1, *made[name].shape[3:])
            for name in ("latent", "strength", *(column for panel in stage.panels for column in panel.columns))
        }
        facts = {"stop": stop, "space": stage.space, "generator": stage.generator.name}
        schema, columns = stage.edits, {**keys, **flat, **facts}
        tables: dict[str, Rows] = {"edits": schema.rows({name: columns[name] for name in schema.arrow.names})}
        if stage.keep:
            tables["edit_images"] = _pictures(stage.keep, keys, made["pixels"].reshape(-1, *made["pixels"].shape[3:]))
        return tables

    def _editor(self, asked: Asked) -> InterFaceGAN:
        stage = self.stage
        truncation = None
        if stage.psi_after is not None and self.generator is not None:
            truncation = Truncation(self.generator.w_avg.cpu(), stage.psi_after)

        def scores(codes: Codes) -> Mapping[str, Tensor]:
            assert self.seeker is not None
            return {asked.direction.attribute: asked.sign * self.seeker.scores(codes)[asked.scored].cpu()}

        return InterFaceGAN([asked.direction], stage.mode, stage.layers, truncation, scores, stage.search, source=True)

    def _seconds(self) -> dict[str, float]:
        seconds: dict[str, float] = {}
        for looker in (self.looker, self.seeker):
            seconds |= looker.take_seconds() if looker else {}
        return seconds


def blocks(rows: Iterator[pa.RecordBatch], size: int) -> Iterator[tuple[int, pa.Table]]:
    """Rows in rising order of index, cut where index // size changes: (first index of the block, its rows)."""
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


def _block(pieces: list[pa.RecordBatch], size: int) -> tuple[int, pa.Table]:
    first: int = pieces[0]["index"][0].as_py()
    return first - first % size, pa.Table.from_batches(pieces)


def _requests(asked: Asked, rows: int) -> Requests:
    direction = asked.direction
    return Requests.same(
        rows,
        direction.attribute,
        strengths=asked.strengths if asked.until is None else None,
        conditions=direction.conditions,
        target=asked.target,
        until=asked.until,
    )


def _strengths(trace: Trace) -> Tensor:
    """(N, K), NaN where a row did not come out finite: so it is set aside."""
    lost_N = torch.tensor([stop == NOT_FINITE for stop in trace.stops])
    return trace.strengths.masked_fill(lost_N[:, None], torch.nan)


def _pictures(
    keep: Keep, keys: Mapping[str, NDArray[np.int64]], pixels_NHW3: NDArray[np.uint8]
) -> Callable[[], pa.Table]:
    """Rows of an edit_images table, encoded when they are asked for: on the writing thread."""

    def table() -> pa.Table:
        numbers = zip(*(keys[name].tolist() for name in ("index", "request", "step")), strict=True)
        pictures = [
            {"bytes": keep.encode(pixels), "path": f"{index:09d}-{request}-{step:02d}.{EXTENSIONS[keep.format]}"}
            for (index, request, step), pixels in zip(numbers, pixels_NHW3, strict=True)
        ]
        return schemas.edit_images().rows({**keys, "image": pictures})

    return table
