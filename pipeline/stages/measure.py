"""What edits changed: each face beside its source, by metrics, from the source to each step; partial numbers a part.

Shapes: M rows of a block of edits, N of them, B slots of a micro-batch.
"""

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

import schemas
from pipeline.directions.aliases import plain
from pipeline.engine.stage import Batch, Task
from pipeline.errors import SpecError
from pipeline.metrics.face_metric import Comparison, FaceMetric, Faces
from pipeline.metrics.of_faces import BY_NAME
from pipeline.models.backend import device_failed
from pipeline.models.codes import Codes
from pipeline.models.faces import FaceScorer
from pipeline.models.generators import Generator
from pipeline.stages.compared import KEYS, Block, Source, Sums
from pipeline.stages.microbatch import Indices, blocks
from pipeline.stages.models import ClassifierRef, Model, Runtime, open_generator, open_scorer
from schemas import TableSchema
from schemas.edits import JUDGE


@dataclass(frozen=True)
class MeasureStage:
    """Measure tables of edits; task k is the k-th part of all of them, one after the other.

    judge: the classifiers. measured_by: the metrics, by name, with the fingerprints of their networks.
    """

    sources: tuple[Source, ...]
    judge: ClassifierRef
    measured_by: tuple[Model, ...]
    runtime: Runtime
    name: str = field(default="measure", init=False)
    version: int = field(default=4, init=False)

    @property
    def metrics(self) -> tuple[FaceMetric, ...]:
        return tuple(BY_NAME[model.name] for model in self.measured_by)

    @property
    def outputs(self) -> Mapping[str, TableSchema]:
        """A table for each metric, the first one's last."""
        return {metric.table: schemas.metrics(metric.numbers) for metric in reversed(self.metrics)}

    def place(self, index: int) -> tuple[int, int]:
        """Which source, and which part of it, a task measures."""
        for number, source in enumerate(self.sources):
            if index < source.parts:
                return number, index
            index -= source.parts
        raise IndexError(index)

    def open(self) -> "MeasureWorker":
        return MeasureWorker(self)


class Looked(NamedTuple):
    """A micro-batch of faces: what they are made of, what metrics are given of them, and what each of these saw."""

    codes: Codes | None
    faces: Faces
    seen: Mapping[str, Any]


class MeasureWorker:
    """The stage with its models open: those of a table of edits when its first part is measured."""

    def __init__(self, stage: MeasureStage) -> None:
        self.stage = stage
        self.scorers: dict[int, FaceScorer] = {}
        self.generators: dict[Model, Generator] = {}
        self.comparisons: dict[str, Comparison] = {}
        self._seconds = 0.0
        for model in stage.measured_by:
            comparison = BY_NAME[model.name].open(stage.runtime.device, stage.judge.family.name)
            Model(f"the network of {model.name}", model.fingerprint).check(comparison.fingerprint)
            self.comparisons[model.name] = comparison

    def run(self, task: Task) -> Iterator[Batch]:
        """One batch: the groups of one part."""
        stage = self.stage
        for index in range(task.first, task.stop):
            number, part = stage.place(index)
            source = stage.sources[number]
            looks = not source.scored or any(metric.looks for metric in stage.metrics)
            faces = self._open(number) if looks else None
            sums = {metric.name: Sums(metric) for metric in stage.metrics}
            for block in self._blocks(source, part, faces):
                self._measure(block, faces, sums)
            tables = {metric.table: _rows(index, source, sums[metric.name]) for metric in stage.metrics}
            yield Batch({name: tables[name] for name in stage.outputs}, (), self._take_seconds(faces))

    def _open(self, number: int) -> FaceScorer:
        """The models of a source; those of the last one are let go."""
        if number not in self.scorers:
            stage, source = self.stage, self.stage.sources[number]
            if source.generator not in self.generators:
                self.generators = {source.generator: open_generator(source.generator, stage.runtime)}
            self.scorers = {
                number: open_scorer(
                    self.generators[source.generator], stage.runtime, [] if source.scored else [stage.judge],
                    truncated=source.truncated,
                )
            }  # fmt: skip
        return self.scorers[number]

    def _blocks(self, source: Source, part: int, faces: FaceScorer | None) -> Iterator[Block]:
        """The micro-batches of a part; all of it where no face is made."""
        scores = [JUDGE + name for name in self.stage.judge.attributes] if source.scored else []
        if faces is not None:
            size = self.stage.runtime.batch_size
            for first, rows in blocks(source.table.batches([*KEYS, "latent", *scores], [part]), size):
                yield Block(source, rows, first, size)
        elif len(rows := source.table.read([*KEYS, *scores], [part])):
            index = rows["index"].to_numpy()
            yield Block(source, rows, int(index[0]), int(index[-1] - index[0]) + 1)

    def _measure(self, block: Block, faces: FaceScorer | None, sums: Mapping[str, Sums]) -> None:
        """Add the groups of a block to those of its part."""
        groups = list(block.groups())  # before any face is made: it says where a source is missing
        values: defaultdict[tuple[int, str], dict[str, Any]] = defaultdict(dict)
        sources: dict[int, Looked] = {}
        latest: Looked | None = None
        moved = {request for request, step in block.steps if step > 0}
        for request, step in block.steps:
            its = block.places(request, step)
            looked = self._look(block, its, faces, latest if step == 0 else None)
            if step == 0:
                sources[request] = latest = looked
            attributes = [plain(name) for name in block.source.requests[request].attributes]
            for name, one in self.comparisons.items():
                if step > 0 or (block.source.kept is not None and not (BY_NAME[name].looks and request in moved)):
                    with self._counted():
                        found = one.compare(sources[request].seen[name], looked.seen[name], attributes)
                    for measured, batch in found.items():
                        block.put(batch, its, values[request, name], measured)
        for (request, step, side), its in groups:
            for name, of_metric in sums.items():
                for measured, batch in values[request, name].items():
                    rows = block.moved(request, its) if of_metric.metric.looks else its
                    of_metric.add((request, step, side, measured), batch, rows)
        for of_metric in sums.values():
            of_metric.end_block()

    def _look(self, block: Block, its: Indices, faces: FaceScorer | None, like: Looked | None) -> Looked:
        """What is seen of some rows of a block; `like`, which may be of the same codes, is not looked at again."""
        scores: Mapping[str, NDArray] = block.scores(its, self.stage.judge.attributes) if block.source.scored else {}
        codes: Codes | None = None
        pictures: torch.Tensor | None = None
        shared: Mapping[str, Any] = {}
        if faces is not None:
            codes = block.codes(its)
            if like is not None and like.codes is not None and torch.equal(like.codes.values, codes.values):
                # the source of every request is one face
                scores, pictures, shared = scores or like.faces.scores, like.faces.pictures, like.seen
            else:
                judged, pictures = self._make(block, its, codes, faces)
                scores = scores or judged
        given = Faces(scores, pictures, block.slots(its))
        with self._counted():
            seen = {
                name: shared[name] if name in shared and BY_NAME[name].looks else one.see(given)
                for name, one in self.comparisons.items()
            }
        return Looked(codes, given, seen)

    def _make(
        self, block: Block, its: Indices, codes: Codes, faces: FaceScorer
    ) -> tuple[Mapping[str, NDArray], torch.Tensor]:
        """Pictures of codes, and the scores of the judge where the table has none. Raises SpecError."""
        try:
            columns, x_N3HW = faces.look_with_pictures(codes)
        except RuntimeError as error:
            if device_failed(error):
                raise
            raise SpecError(f"{block.source.table.url}: a face could not be measured: {error}") from error
        means = x_N3HW.float().mean(dim=(1, 2, 3)).cpu().numpy()  # not finite where a picture is not
        block.check({**columns, "the picture": means}, its)
        return {name.removeprefix(JUDGE): column for name, column in columns.items()}, x_N3HW

    @contextmanager
    def _counted(self) -> Iterator[None]:
        begun = time.perf_counter()
        yield
        self._seconds += time.perf_counter() - begun

    def _take_seconds(self, faces: FaceScorer | None) -> dict[str, float]:
        """Those of the faces since the last call; what metrics took is among those of the scores."""
        found = {} if faces is None else faces.take_seconds()
        if faces is not None:
            found["score_seconds"] = found.get("score_seconds", 0.0) + self._seconds
        self._seconds = 0.0
        return found


def _rows(index: int, source: Source, sums: Sums) -> pa.Table:
    """Rows of a metrics table, a group each."""
    metric, groups = sums.metric, sums.groups()
    schema = schemas.metrics(metric.numbers)
    keys = list(groups)
    requests = [source.requests[request] for request, *_ in keys]
    if not keys:
        return schema.arrow.empty_table()
    return schema.rows(
        {
            "index": np.full(len(keys), index),
            "group": np.arange(len(keys)),
            "metric": metric.name,
            "edits": source.name,
            "request": [request for request, *_ in keys],
            "step": [step for _, step, *_ in keys],
            "side": [side for _, _, side, _ in keys],
            "attribute": [request.attribute for request in requests],
            "conditions": [list(request.preserve) for request in requests],
            "strength": [one.strength(step, side) for one, (_, step, side, _) in zip(requests, keys, strict=True)],
            "measured": [measured for *_, measured in keys],
            **{name: [float(groups[key][name]) for key in keys] for name in metric.numbers},
        }
    )
