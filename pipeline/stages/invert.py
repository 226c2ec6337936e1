"""Aligned pictures of faces become codes in w+, whose faces are compared with them.

A row is a picture that `photos align` kept. A face that comes out unlike its picture is rejected, with what was
measured.

Shapes: B slots of a micro-batch, L layers, W w_dim, 3HW pixels.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np
import torch
from PIL import Image
from torch import Tensor

import schemas
from pipeline.engine.stage import Batch, Reject, Rows, Task
from pipeline.models.classifiers.perceptual import Trunk
from pipeline.models.codes import Codes
from pipeline.models.faces import SCORED_SIZE, to_pixels
from pipeline.photos import likeness
from pipeline.photos.inversion import Inverter, Settings, resized
from pipeline.photos.inversion_quality import Gate, compare
from pipeline.photos.likeness import OTHER
from pipeline.photos.prior import prior_of
from pipeline.stages.encoders import read_encoder
from pipeline.stages.microbatch import Columns, Slots, aligned, compute_or_reject, no_rows, rows_of
from pipeline.stages.models import ArtifactRef, ClassifierRef, Model, Runtime, open_generator
from pipeline.stages.pictures import Keep
from pipeline.stages.source import Indices
from pipeline.tables import Table
from schemas import TableSchema

NOT_READ = "damaged picture"
GATED = ("lpips", "identity_dlib", "face_lost")
TIMED = 4
"""Steps that are timed, one of them with the network of identity."""


@dataclass(frozen=True, eq=False)
class InvertStage:
    """pictures: the sealed table of them. photo, face_number: (N,), the key of row i there, in its order.

    likeness: the networks, by the name of `pipeline.photos.likeness.load`. trunk: of the perceptual distance that is
    followed. encoder: what codes start from; None for the mean face. shape: (num_ws, w_dim). keep: how pictures of the
    inversions are kept; None for none.
    """

    pictures: Table
    photo: Indices
    face_number: Indices
    generator: Model
    likeness: Model
    trunk: Trunk
    encoder: ArtifactRef | None
    settings: Settings
    classifiers: ClassifierRef
    gate: Gate
    keep: Keep | None
    shape: tuple[int, int]
    runtime: Runtime
    name: str = field(default="photos-invert", init=False)
    version: int = field(default=1, init=False)

    @property
    def outputs(self) -> Mapping[str, TableSchema]:
        pictures = {"images": schemas.images()} if self.keep else {}
        num_ws, w_dim = self.shape
        return {**pictures, "inversions": schemas.inversions(), "latents": schemas.latents("w+", w_dim, num_ws)}

    def open(self) -> InvertWorker:
        return InvertWorker(self)


class InvertWorker:
    """The stage with its models open. Attributes: inverter."""

    def __init__(self, stage: InvertStage) -> None:
        self.stage = stage
        self.generator = open_generator(stage.generator, stage.runtime)
        self._likeness = likeness.load(stage.likeness.name, stage.trunk, stage.runtime.device)
        stage.likeness.check(self._likeness.fingerprint)
        self._family = stage.classifiers.open(stage.runtime)
        self.inverter = Inverter(self.generator, prior_of(self.generator), self._likeness, stage.settings)
        self._encoder = None
        if stage.encoder is not None:
            stage.encoder.open()
            self._encoder = read_encoder(stage.encoder.url, self.generator, stage.runtime.device)
        self._size = min(SCORED_SIZE, self.generator.resolution)

    def run(self, task: Task) -> Iterator[Batch]:
        """A batch for each micro-batch of the shard."""
        for index in aligned(task.first, task.stop, self.stage.runtime.batch_size):
            wanted = task.wanted(index)
            if wanted.any():
                yield self._batch(index, wanted)

    def start(self, x_B3HW: Tensor) -> Tensor:
        """(B, L, W): what the encoder makes of each picture, or the mean face."""
        if self._encoder is not None:
            return self._encoder.encode(x_B3HW)
        return self.generator.w_avg.expand(len(x_B3HW), self.generator.num_ws, -1)

    def timed(self) -> tuple[float, float]:
        """Seconds of a face besides its steps, and of a step: of the mean face, of which nothing is kept."""
        slots = np.arange(self.stage.runtime.batch_size) < (self.inverter.at_once or self.stage.runtime.batch_size)
        w_BW = self.generator.w_avg.expand(len(slots), -1)
        with torch.no_grad():
            x_B3HW = self.generator.synthesize(Codes("w", w_BW), self._size)
        settings, seconds = self.inverter.settings, []
        for steps in (1, 1, 1 + TIMED):
            self.inverter.settings = replace(settings, steps=steps, until=None)
            begun = time.perf_counter()
            self._compute(x_B3HW, slots)
            seconds.append((time.perf_counter() - begun) / slots.sum())
        self.inverter.settings = settings
        step = (seconds[2] - seconds[1]) / TIMED
        return max(0.0, seconds[1] - step), step

    def _batch(self, index: Indices, wanted: Slots) -> Batch:
        stage, begun = self.stage, time.perf_counter()
        x_B3HW, rejects = self._pictures(index, wanted)
        readable = wanted & ~np.isin(index, [reject.index for reject in rejects])
        kept, columns, others = compute_or_reject(index, readable, partial(self._compute, x_B3HW))
        kept, columns, unlike = self._gated(kept, columns)
        tables = self._tables(kept, columns) if len(kept) else no_rows(stage.outputs)
        counters = {"invert_seconds": time.perf_counter() - begun}
        return Batch(tables, (*rejects, *others, *unlike), counters)

    def _gated(self, index: Indices, columns: Columns) -> tuple[Indices, Columns, list[Reject]]:
        """The rows that are good enough, and the others."""
        if not len(index):
            return index, columns, []
        reasons = [self.stage.gate.reason(*row) for row in zip(*(columns[name] for name in GATED), strict=True)]
        rejects = [
            Reject(int(index[slot]), reason, self._described(index, columns, slot))
            for slot, reason in enumerate(reasons)
            if reason
        ]
        good = np.array([not reason for reason in reasons])
        return index[good], {name: column[good] for name, column in columns.items()}, rejects

    def _described(self, index: Indices, columns: Columns, slot: int) -> str:
        photo, number = (int(keys[index[slot]]) for keys in (self.stage.photo, self.stage.face_number))
        second = columns["identity_dlib"][slot]
        told = "dlib sees no face" if second is None else f"identity_dlib {second:.3f}"
        return (
            f"photo {photo}, face {number}: lpips {columns['lpips'][slot]:.3f}, {told}, "
            f"identity {columns['identity'][slot]:.3f}"
        )

    def _pictures(self, index: Indices, wanted: Slots) -> tuple[Tensor, list[Reject]]:
        """(B, 3, H, W) in [-1, 1], zeros where there is none; and those that cannot be decoded."""
        stage = self.stage
        keys = [(int(stage.photo[row]), int(stage.face_number[row])) for row in index[wanted]]
        span = range(keys[0][0], keys[-1][0] + 1)
        rows = stage.pictures.read(["index", "face_number", "image"], indices=span).to_pylist()
        found = {(row["index"], row["face_number"]): row["image"]["bytes"] for row in rows}
        x_B3HW, rejects = torch.zeros(len(index), 3, self._size, self._size), []
        for slot, key in zip(np.flatnonzero(wanted), keys, strict=True):
            try:
                pixels = np.asarray(Image.open(io.BytesIO(found[key])).convert("RGB"), dtype=np.float32)
            except OSError as error:
                rejects.append(Reject(int(index[slot]), NOT_READ, f"photo {key[0]}, face {key[1]}: {error}"))
                continue
            x_13HW = torch.from_numpy(pixels / 127.5 - 1).permute(2, 0, 1)[None]
            x_B3HW[slot] = resized(x_13HW, self._size)[0]
        return x_B3HW.to(self.generator.backend.device), rejects

    def _compute(self, x_B3HW: Tensor, slots: Slots) -> Columns:
        found = self.inverter(x_B3HW, self.start(x_B3HW), tuple(slots.tolist()))
        finite_B = torch.isfinite(found.ws).flatten(1).all(dim=1)
        ws_BLW = torch.where(finite_B[:, None, None], found.ws, self.generator.w_avg)
        generator, stage = self.generator, self.stage
        with torch.no_grad():
            s_BS = generator.styles_of(Codes("w+", ws_BLW))
            state = generator.run(s_BS, generator.start(len(ws_BLW)), 0, len(generator.style_layers))
            y_B3HW = generator.image(state, self._size)
            columns = compare(x_B3HW, y_B3HW, slots, self._likeness, self._family)
            if stage.keep:
                columns["pixels"] = to_pixels(generator.image(state, stage.keep.size))
        return {**columns, "ws": found.ws.cpu().numpy(), "steps": found.steps.cpu().numpy()}

    def _tables(self, index: Indices, columns: Columns) -> dict[str, Rows]:
        stage, schema = self.stage, schemas.inversions()
        facts = {"index": index, "photo": stage.photo[index], "face_number": stage.face_number[index]}
        lpips = {f"lpips_{stage.trunk}": columns["lpips"], f"lpips_{OTHER[stage.trunk]}": columns["lpips_other"]}
        latents = {
            "index": index,
            "ws": columns["ws"],
            "psi": None,
            "seed": None,
            "generator": stage.generator.identity,
        }
        tables: dict[str, Rows] = {
            "inversions": rows_of(schema, {**columns, **facts, **lpips}),
            "latents": stage.outputs["latents"].rows(latents),
        }
        if stage.keep:
            tables["images"] = stage.keep.rows(schemas.images(), "{index:09d}", {"index": index}, columns["pixels"])
        return tables
