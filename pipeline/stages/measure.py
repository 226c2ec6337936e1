"""What edits changed: the judge's scores and whose face it is, from the source to each step; partial numbers a part.

Shapes: N rows of a part of edits, B slots of a micro-batch, A attributes, E numbers of an embedding.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

import schemas
from pipeline.editors import EditRequest
from pipeline.engine.stage import Batch, Task
from pipeline.errors import SpecError
from pipeline.metrics import EffectBatch, Effects, Identity, IdentityBatch, Numbers, merge_groups, pairs
from pipeline.models.backend import device_failed
from pipeline.models.codes import Codes, Space
from pipeline.models.faces import EMBEDDING, FaceScorer
from pipeline.models.generators import Generator
from pipeline.stages.microbatch import Indices, blocks
from pipeline.stages.models import ClassifierRef, Model, Runtime, Truncated, open_generator, open_scorer
from pipeline.tables import Table
from schemas import TableSchema
from schemas.edits import JUDGE

Group = tuple[int, int, int, str]
"""Request, step, side, and the attribute that was measured."""
KEYS = ("index", "request", "step", "strength")

EFFECTS, IDENTITY = "metrics", "metrics_identity"


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


@dataclass(frozen=True)
class MeasureStage:
    """Measure tables of edits; task k is the k-th part of all of them, one after the other.

    judge: the classifiers. identity: digest of the network that tells whose face it is; None to leave that out.
    """

    sources: tuple[Source, ...]
    judge: ClassifierRef
    identity: str | None
    runtime: Runtime
    name: str = field(default="measure", init=False)
    version: int = field(default=2, init=False)

    @property
    def outputs(self) -> Mapping[str, TableSchema]:
        whose = {IDENTITY: schemas.metrics(Identity().numbers)} if self.identity else {}
        return {**whose, EFFECTS: schemas.metrics(Effects().numbers)}

    def place(self, index: int) -> tuple[int, int]:
        """Which source, and which part of it, a task measures."""
        for number, source in enumerate(self.sources):
            if index < source.parts:
                return number, index
            index -= source.parts
        raise IndexError(index)

    def open(self) -> "MeasureWorker":
        return MeasureWorker(self)


class MeasureWorker:
    """The stage with its models open: those of a table of edits when its first part is measured."""

    def __init__(self, stage: MeasureStage) -> None:
        self.stage = stage
        self.scorers: dict[int, FaceScorer] = {}
        self.generators: dict[Model, Generator] = {}

    def run(self, task: Task) -> Iterator[Batch]:
        """One batch: the groups of one part."""
        stage = self.stage
        for index in range(task.first, task.stop):
            number, part = stage.place(index)
            source = stage.sources[number]
            faces = self._open(number) if stage.identity or not source.scored else None
            scores, alike = (
                self._looked_at(source, part, faces) if faces else (_kept(source, part, stage.judge.attributes), {})
            )
            effects = _effects(scores, stage.judge.attributes, source)
            tables = {EFFECTS: _rows(index, source, Effects(), effects)}
            if stage.identity:
                tables[IDENTITY] = _rows(index, source, Identity(), alike)
            yield Batch({name: tables[name] for name in stage.outputs}, (), faces.take_seconds() if faces else {})

    def _open(self, number: int) -> FaceScorer:
        """The models of a source; those of the last one are let go."""
        if number not in self.scorers:
            stage, source = self.stage, self.stage.sources[number]
            if source.generator not in self.generators:
                self.generators = {source.generator: open_generator(source.generator, stage.runtime)}
            self.scorers = {
                number: open_scorer(
                    self.generators[source.generator], stage.runtime, [] if source.scored else [stage.judge],
                    truncated=source.truncated, identity_digest=stage.identity,
                )
            }  # fmt: skip
        return self.scorers[number]

    def _looked_at(self, source: Source, part: int, faces: FaceScorer) -> tuple[pa.Table, dict[Group, Numbers]]:
        """Keys and the judge's scores of a part, and the similarity by group: from the faces, a micro-batch at once."""
        size, judge = self.stage.runtime.batch_size, self.stage.judge
        judged = [JUDGE + name for name in judge.attributes]
        columns = [*KEYS, "latent", *(judged if source.scored else [])]
        pieces: list[pa.Table] = []
        alike: list[dict[Group, Numbers]] = []
        for first, rows in blocks(source.table.batches(columns, [part]), size):
            seen = self._faces(first, rows, source, faces)
            keys = rows.select([*KEYS, *(judged if source.scored else [])])
            if not source.scored:
                for name, column in zip(judged, judge.columns, strict=True):
                    keys = keys.append_column(name, pa.array(seen[column]))
            pieces.append(keys)
            if EMBEDDING in seen:
                alike.append(_similarity(keys, seen[EMBEDDING], source))
        empty = source.table.schema.arrow.empty_table().select(KEYS)
        return pa.concat_tables(pieces) if pieces else empty, merge_groups(Identity(), alike)

    def _faces(self, first: int, rows: pa.Table, source: Source, faces: FaceScorer) -> dict[str, NDArray]:
        """Columns (N, ...) of what is seen of each row; row i is in slot i mod B of its request and step."""
        request, step = rows["request"].to_numpy(), rows["step"].to_numpy()
        slot, latent = rows["index"].to_numpy() - first, schemas.to_numpy(rows["latent"])
        seen: dict[str, NDArray] = {}
        shared: tuple[torch.Tensor, dict[str, NDArray]] | None = None
        for of_request, of_step in sorted(set(zip(request.tolist(), step.tolist(), strict=True))):
            its = np.flatnonzero((request == of_request) & (step == of_step))
            its_codes = Codes(source.space, torch.from_numpy(latent[its]))
            codes = its_codes.in_slots(slot[its], self.stage.runtime.batch_size)
            if of_step == 0 and shared is not None and torch.equal(shared[0], codes.values):
                found = shared[1]  # the source of every request is one face
            else:
                found = self._look(faces, codes, source)
                shared = (codes.values, found) if of_step == 0 else shared
            for name, column in found.items():
                seen.setdefault(name, np.empty((len(slot), *column.shape[1:]), column.dtype))[its] = column[slot[its]]
        for name, column in seen.items():
            if not np.isfinite(column).all():
                row = int(np.argwhere(~np.isfinite(column))[0, 0])
                where = f"row {rows['index'][row]}, request {request[row]}, step {step[row]}"
                raise SpecError(f"{source.table.url}: {where}: {name} is not finite: edit less far")
        return seen

    @staticmethod
    def _look(faces: FaceScorer, codes: Codes, source: Source) -> dict[str, NDArray]:
        try:
            return faces.look(codes)
        except RuntimeError as error:
            if device_failed(error):
                raise
            raise SpecError(f"{source.table.url}: a face could not be measured: {error}") from error


def _kept(source: Source, part: int, attributes: tuple[str, ...]) -> pa.Table:
    """Keys and the judge's scores of a part, as the table has them."""
    return source.table.read([*KEYS, *(JUDGE + name for name in attributes)], [part])


def _pairs(keys: pa.Table, source: Source) -> Iterator[tuple[tuple[int, int, int], Indices, Indices]]:
    """As `pipeline.metrics.pairs`."""
    sides = {number: request.sides for number, request in source.requests.items()}
    index, request, step, strength = (keys[name].to_numpy() for name in KEYS)
    return pairs(index, request, step, strength, sides, source.kept)


def _effects(scores: pa.Table, attributes: tuple[str, ...], source: Source) -> dict[Group, Numbers]:
    return {
        (*group, name): Effects().measure(EffectBatch(column[before], column[after]))
        for group, before, after in _pairs(scores, source)
        for name in attributes
        for column in [scores[JUDGE + name].to_numpy()]
    }


def _similarity(keys: pa.Table, embedding_NE: NDArray[np.float32], source: Source) -> dict[Group, Numbers]:
    return {
        (*group, ""): Identity().measure(IdentityBatch(embedding_NE[before], embedding_NE[after]))
        for group, before, after in _pairs(keys, source)
    }


def _rows(index: int, source: Source, metric: Effects | Identity, groups: Mapping[Group, Numbers]) -> pa.Table:
    """Rows of a metrics table, a group each."""
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
