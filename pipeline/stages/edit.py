"""Edits of latents that are in a table; where asked, the edited faces are made, scored and kept.

Shapes: N rows, B slots of a micro-batch, R requests, K kept steps; `...` stands for the shape of one row of codes.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

import schemas
from pipeline.directions import Direction
from pipeline.directions.aliases import plain
from pipeline.editors import NOT_FINITE, Editor, EditorConfig, EditRequest, Trace, Traits
from pipeline.editors.effect import counted, slope_of_columns, slope_of_trace
from pipeline.editors.kept import KeptTable
from pipeline.editors.stages import changes
from pipeline.editors.trace import NO_STEP
from pipeline.engine.stage import Batch, Rows, Task
from pipeline.models.codes import Codes, Space
from pipeline.models.faces import PICTURE, PIXELS, FaceScorer
from pipeline.models.generators import Generator
from pipeline.models.seen_faces import SeenFaces, SomeScores
from pipeline.stages.codes import code_batches
from pipeline.stages.kept_rows import kept_columns, kept_rows, schema_of
from pipeline.stages.microbatch import Columns, Indices, Slots, batch_of, compute_or_reject
from pipeline.stages.models import (
    ArtifactRef,
    ClassifierRef,
    Model,
    Runtime,
    Truncated,
    open_generator,
    open_scorer,
)  # fmt: skip
from pipeline.stages.pictures import Keep
from pipeline.stages.source import Latents
from schemas import TableSchema
from schemas.edits import JUDGE

BLOCK_BYTES = 2**25
"""Largest size of the float64 codes that are edited together where no network is run."""
STEPS_DROPPED = "steps_not_finite"
"""Counter of steps that are left out of the table because they are not finite, of rows that are in it."""


@dataclass(frozen=True)
class EditStage:
    """Edit latents as each request says.

    read_in, space: of the codes that the editor is given, and of the edits. shape: of one row of codes in `space`.
    directions: for each request those that the editor needs; requests that share them share an editor. search: the
    classifiers whose scores the editor uses, None if it uses none; where the table has scores of the same family, these
    classifiers give them too. parser: the family whose face parser it needs. artifact: what was trained for the
    editor. taken: what it took from an earlier edit. kept: the steps that go into the table. classifiers: whose scores
    become columns. keep: format and size of the pictures, None for no pictures.
    """

    latents: Latents
    read_in: Space
    space: Space
    shape: tuple[int, ...]
    editor: EditorConfig
    requests: tuple[EditRequest, ...]
    directions: tuple[tuple[Direction, ...], ...]
    search: ClassifierRef | None
    parser: Model | None
    artifact: ArtifactRef | None
    taken: Mapping[str, torch.Tensor] = field(compare=False)
    kept: tuple[int, ...]
    generator: Model
    truncated: Truncated
    classifiers: tuple[ClassifierRef, ...]
    keep: Keep | None
    runtime: Runtime
    name: str = field(default="edit", init=False)
    version: int = field(default=3, init=False)

    @property
    def outputs(self) -> Mapping[str, TableSchema]:
        pictures = {"edit_images": schemas.edit_images()} if self.keep else {}
        return {**pictures, **{table.name: schema_of(table) for table in self.own_tables}, "edits": self.edits}

    @property
    def own_tables(self) -> Sequence[KeptTable]:
        """Tables of the editor's own, beside the edits."""
        return self.editor.keeps(self.shape)

    @property
    def edits(self) -> TableSchema:
        own = [name for ref in self.classifiers if not ref.prefix for name in ref.attributes]
        judged = [name for ref in self.classifiers if ref.prefix for name in ref.attributes]
        return schemas.edits(self.shape, own, judged)

    @property
    def scores(self) -> tuple[str, ...]:
        """Columns of the classifiers' scores."""
        return tuple(column for ref in self.classifiers for column in ref.columns)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns computed from the face of every kept step."""
        return (*self.scores, PIXELS, PICTURE) if self.keep else self.scores

    @property
    def traits(self) -> Traits:
        return self.editor.traits(self.requests)

    @property
    def looks(self) -> bool:
        """Whether a face is made of every kept step."""
        return bool(self.columns)

    def block(self, span: int) -> int:
        """Rows edited together of a task whose indices span so many: a micro-batch where networks are at work, else as
        many whole ones as there is room, and no more than hold them, since padding is edited too. Editors give a row
        the same bits beside any neighbours.
        """
        batch_size = self.runtime.batch_size
        if self.looks or self.search is not None or self.parser is not None:
            return batch_size
        row_bytes = 8 * int(np.prod(self.shape)) * (1 + self.traits.steps)
        most = min(8192, BLOCK_BYTES // row_bytes) // batch_size
        return batch_size * max(1, min(most, -(-span // batch_size)))

    def open(self) -> "EditWorker":
        return EditWorker(self)


class EditWorker:
    """The stage with its models open; those that no row needs stay closed."""

    def __init__(self, stage: EditStage) -> None:
        self.stage, self.traits = stage, stage.traits
        self.device = torch.device(stage.runtime.device if self.traits.on_device else "cpu")
        self.generator: Generator | None = None
        self.faces: FaceScorer | None = None
        self.seen: SeenFaces | None = None
        if stage.looks or stage.search is not None or self.traits.needs_generator or stage.read_in != "w":
            self.generator = open_generator(stage.generator, stage.runtime)
        else:
            torch.set_num_threads(stage.runtime.threads)
        if self.generator is not None:
            self.faces = self._open_faces(self.generator)
            most = 2 * len(stage.kept) > self.traits.steps
            self.seen = SeenFaces(self.faces, stage.columns, all_steps=self.traits.gradients and most)
        self.editors = self._open_editors()
        self._dropped, self._search_seconds = 0, 0.0

    def _open_faces(self, generator: Generator) -> FaceScorer:
        """The generator with the classifiers of its faces, for the editor and for the table."""
        stage, gradients = self.stage, self.traits.gradients
        if not stage.looks and stage.search is None and stage.parser is None:
            return FaceScorer(generator, {})
        search = [] if stage.search is None else [stage.search]
        others = [ref for ref in stage.classifiers if ref.prefix or not search]
        faces = open_scorer(
            generator, stage.runtime, [*search, *others], follow=gradients, recompute=self.traits.recompute,
            picture_size=stage.keep.size if stage.keep else None, truncated=stage.truncated, parser=stage.parser,
        )  # fmt: skip
        if gradients and stage.looks:
            faces.warm_up(stage.runtime.batch_size)
        return faces

    def _open_editors(self) -> list[Editor]:
        """One for each request; those of the same directions are one, and look at the attributes of their requests."""
        stage, opened = self.stage, dict[tuple[Direction, ...], Editor]()
        trained = {**(stage.artifact.open() if stage.artifact else {}), **stage.taken}
        for directions in dict.fromkeys(stage.directions):
            its = [one for one, own in zip(stage.requests, stage.directions, strict=True) if own == directions]
            about = {plain(name) for name in stage.editor.traits(its).looks_at}
            faces = None if self.seen is None else SomeScores(self.seen, sorted(about))
            opened[directions] = stage.editor.open(faces, directions, trained)
        return [opened[directions] for directions in stage.directions]

    def run(self, task: Task) -> Iterator[Batch]:
        """One batch for each block of rows, aligned on the index; a row keeps the slot that its index gives it."""
        stage = self.stage
        block = stage.block(task.stop - task.first)
        for index, wanted, codes in code_batches(stage.latents, stage.read_in, self.generator, task, block):
            came_out = compute_or_reject(index, wanted, partial(self._compute, codes))
            kept, made, _ = came_out
            counters = counted(made["slope"], made["stop"], made["steps"].max(axis=2)) if len(kept) else {}
            if self.traits.stages and len(kept):
                counters |= changes(made, stage.scores, stage.kept)
            yield batch_of(stage.outputs, came_out, self._tables, {**self._seconds(), **counters})

    def _compute(self, codes: Codes, slots: Slots) -> Columns:
        """Columns (B, R, K, ...). `steps` is NO_STEP where a row ended before; the other columns are 0 there."""
        stage = self.stage
        rows, requests, kept = len(slots), len(stage.requests), len(stage.kept)
        latent = np.zeros((rows, requests, kept, *stage.shape), dtype=np.float32)
        strength = np.zeros((rows, requests, kept), dtype=np.float32)
        steps = np.full((rows, requests, kept), NO_STEP)
        stops = np.empty((rows, requests), dtype=object)
        slope = np.zeros((rows, requests), dtype=np.int8)
        if self.seen:
            self.seen.forget()
        # Padding is NaN, which editors skip. A micro-batch of padding alone tests the networks after each row has
        # failed: its padding is 0, so that they run.
        sought = stage.search is not None or stage.parser is not None
        some = codes.only(slots, np.nan if sought and slots.any() else 0.0)
        traces: list[Trace] = []
        for request, asked in enumerate(stage.requests):
            begun = time.perf_counter()
            trace = self.editors[request].edit(some.to(self.device), [asked] * rows)
            self._search_seconds += time.perf_counter() - begun
            place_NK = trace.places(stage.kept).cpu().numpy()
            row_N1, there_NK = np.arange(rows)[:, None], place_NK != NO_STEP
            latent[:, request][there_NK] = trace.values.cpu().numpy()[row_N1, place_NK][there_NK]
            with np.errstate(over="ignore"):  # what overflows is not finite, and is rejected
                strength[:, request][there_NK] = trace.strengths.cpu().numpy()[row_N1, place_NK][there_NK]
            steps[:, request] = place_NK
            lost = (trace.steps < 1).all(dim=1).cpu().numpy() & (np.array(trace.stops) == NOT_FINITE)
            latent[lost, request], strength[lost, request] = np.nan, np.nan  # so they are rejected
            stops[:, request] = trace.stops
            traces.append(trace)
            if not self.traits.stages:  # whose strengths count edits, and tell no side
                slope[:, request] = slope_of_trace(trace, asked.attributes)
        columns: dict[str, NDArray] = {"latent": latent, "strength": strength, "steps": steps, "stop": stops}
        if self.seen and stage.looks:
            columns |= self._look(self.seen, latent, steps, slots)
            unseen = [] if self.traits.stages else np.flatnonzero(~slope.any(axis=0)).tolist()
            for request in unseen:
                scores = {name: columns[name][:, request] for name in stage.scores}
                slope[:, request] = slope_of_columns(
                    scores,
                    stage.requests[request].attributes,
                    strength[:, request],
                    steps[:, request] != NO_STEP,
                    JUDGE,
                )
        columns["slope"] = slope
        if self.traits.independent_steps:
            self._dropped += drop_steps(columns, slots)
        return columns | kept_columns(stage.own_tables, traces)

    def _look(
        self, seen: SeenFaces, latent: NDArray[np.float32], steps: NDArray[np.int64], slots: Slots
    ) -> dict[str, NDArray]:
        """Columns (B, R, K) of every kept step, as the editor saw its face, or made now where it did not."""
        requests, kept = steps.shape[1:]
        if self.faces and not slots.any():
            self.faces.look(Codes(self.stage.space, torch.from_numpy(latent[:, 0, 0])), self.stage.columns)

        def look(request: int, place: int) -> dict[str, NDArray]:
            codes = Codes(self.stage.space, torch.from_numpy(np.ascontiguousarray(latent[:, request, place])))
            return seen.look(codes, slots & (steps[:, request, place] != NO_STEP))

        found = [[look(request, place) for place in range(kept)] for request in range(requests)]
        return {
            name: np.stack([np.stack([one[name] for one in row], axis=1) for row in found], axis=1)
            for name in self.stage.columns
        }

    def _tables(self, index: Indices, made: Columns) -> dict[str, Rows]:
        """The steps that there are, of columns (B, R, K, ...)."""
        stage, there = self.stage, made["steps"] != NO_STEP
        keys = {
            "index": np.broadcast_to(index[:, None, None], there.shape)[there],
            "request": np.broadcast_to(np.arange(there.shape[1])[:, None], there.shape)[there],
            "step": made["steps"][there],
        }
        measured = {name: made[name][there] for name in ("latent", "strength", *stage.scores)}
        stop = np.broadcast_to(made["stop"][:, :, None], there.shape)[there].tolist()
        facts = {"stop": stop, "space": stage.space, "generator": stage.generator.identity}
        tables: dict[str, Rows] = {"edits": stage.edits.rows({**keys, **measured, **facts})}
        tables |= {table.name: kept_rows(table, index, made, stage.requests) for table in stage.own_tables}
        if stage.keep:
            path = "{index:09d}-{request}-{step:02d}"
            tables["edit_images"] = stage.keep.rows(schemas.edit_images(), path, keys, made[PIXELS][there])
        return tables

    def _seconds(self) -> dict[str, float]:
        """`search_seconds` is the time of the editors; what remains beside faces and scores went into gradients."""
        seconds = self.faces.take_seconds() if self.faces else {}
        if self._dropped:
            seconds[STEPS_DROPPED] = float(self._dropped)
        seconds["search_seconds"] = self._search_seconds
        self._dropped, self._search_seconds = 0, 0.0
        return seconds


def drop_steps(columns: dict[str, NDArray], slots: Slots) -> int:
    """Remove, in place, steps that are not finite, if the source and another step of their row and request are finite.
    Other rows are left unchanged; they are rejected later. Returns how many steps the rows that are kept lack.

    columns: (B, R, K, ...) each, `stop` (B, R).
    """
    floats = [column for column in columns.values() if np.issubdtype(column.dtype, np.floating)]
    steps = columns["steps"]
    finite = np.logical_and.reduce([np.isfinite(column).reshape(*steps.shape, -1).all(axis=3) for column in floats])
    there = steps != NO_STEP
    sources = np.where(there & (steps == 0), finite, True).all(axis=2, keepdims=True)
    moved = (there & finite & (steps > 0)).any(axis=2, keepdims=True)
    bad = there & ~finite & sources & moved
    for column in floats:
        column[bad] = 0
    steps[bad] = NO_STEP
    columns["stop"][bad.any(axis=2)] = NOT_FINITE
    published = slots & (finite | bad).all(axis=(1, 2))
    bad |= ~there & (columns["stop"] == NOT_FINITE)[:, :, None]
    return int(bad[published].sum())
