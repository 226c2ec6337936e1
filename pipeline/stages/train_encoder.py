"""An encoder's training: pictures are sampled and made, and what frozen networks see of them is kept; then its head is
fitted to what was kept.

Shapes: B slots of a micro-batch, N rows, F features, W w_dim, 3HW pixels.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import safetensors.torch
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

import schemas
from pipeline.card import Card, TrainedCodes
from pipeline.engine.derived import DerivedArtifact
from pipeline.engine.stage import Batch, Rows, Task
from pipeline.errors import ModelFileError
from pipeline.models.codes import Codes
from pipeline.models.faces import SCORED_SIZE
from pipeline.photos import encoder_head
from pipeline.photos.encoder_features import PictureFeatures
from pipeline.photos.jitter import jittered
from pipeline.stages.dataset import sampled
from pipeline.stages.microbatch import Columns, Indices, Slots, batch_of, computed_or_rejected, rows_of
from pipeline.stages.models import MODEL, Model, Runtime, open_generator
from pipeline.tables import ArtifactFiles, Table, store
from schemas import TableSchema

FEATURES = "features"
SUBJECT = "encoder"
"""With which the names of its metrics begin."""


@dataclass(frozen=True)
class TrainEncoderStage:
    """Features of sampled pictures. features: names; width: how many; networks: digests of what makes them. held_out:
    so many of the first rows are not jittered. jitter: whether the others are.
    """

    generator: Model
    seed: int
    psi: float
    held_out: int
    jitter: bool
    features: tuple[str, ...]
    width: int
    w_dim: int
    networks: Mapping[str, str]
    runtime: Runtime
    name: str = field(default="train-encoder", init=False)
    version: int = field(default=1, init=False)

    @property
    def outputs(self) -> Mapping[str, TableSchema]:
        return {FEATURES: schemas.picture_features(self.width, self.w_dim)}

    def open(self) -> "TrainEncoderWorker":
        torch.set_num_threads(self.runtime.threads)
        return TrainEncoderWorker(self)


class TrainEncoderWorker:
    """The stage with its models open."""

    def __init__(self, stage: TrainEncoderStage) -> None:
        self.stage = stage
        self.generator = open_generator(stage.generator, stage.runtime)
        self.networks = PictureFeatures(stage.features, stage.runtime.device)
        if self.networks.digests != stage.networks:
            raise ModelFileError(
                "the networks of --features are others on this machine than the job was started with: stylemill models "
                "pull them again"
            )
        self.size = min(SCORED_SIZE, self.generator.resolution)
        self._seconds: dict[str, float] = {}

    def run(self, task: Task) -> Iterator[Batch]:
        """One batch for each micro-batch of the shard."""
        for came_out in computed_or_rejected(task, self.stage.runtime.batch_size, self._compute):
            yield batch_of(self.stage.outputs, came_out, self._tables, self._seconds)

    @torch.no_grad()
    def _compute(self, index: Indices, slots: Slots) -> Columns:
        stage, begun = self.stage, time.perf_counter()
        ws_BLW = sampled(self.generator, stage.seed, index, slots, stage.psi, None)
        x_B3HW = self.generator.synthesize(Codes("w+", ws_BLW), self.size)
        made = time.perf_counter()
        seen_B3HW = torch.stack([self._as_seen(x, int(row)) for x, row in zip(x_B3HW, index, strict=True)])
        columns = {"w": np.ascontiguousarray(ws_BLW[:, 0].cpu().numpy()),
                   "features": self.networks(seen_B3HW).cpu().numpy()}  # fmt: skip
        self._seconds = {"synth_seconds": made - begun, "features_seconds": time.perf_counter() - made}
        return columns

    def _as_seen(self, x_3HW: Tensor, index: int) -> Tensor:
        """A picture of finite values, as the networks are given it; one that is not stays, and is rejected then."""
        if not self.stage.jitter or index < self.stage.held_out or not bool(x_3HW.isfinite().all()):
            return x_3HW.clamp(-1, 1)
        return jittered(x_3HW, self.stage.seed, index)

    def _tables(self, index: Indices, columns: Columns) -> dict[str, Rows]:
        return {FEATURES: rows_of(self.stage.outputs[FEATURES], {**columns, "index": index})}


def fitted(out: str, stage: TrainEncoderStage, widths: tuple[int, ...], rank: int, card: Card) -> DerivedArtifact:
    """The artifact of the job's table: what the driver makes once all features are there."""
    return DerivedArtifact("artifact", lambda: _fit(out, stage, widths, rank, card), (FEATURES,))


def _fit(out: str, stage: TrainEncoderStage, widths: tuple[int, ...], rank: int, card: Card) -> ArtifactFiles:
    table = Table.open(store.join(out, FEATURES))
    rows = table.read()
    index, w_NW, f_NF = (schemas.to_numpy(rows[name]) for name in ("index", "w", "features"))
    held = index < stage.held_out
    with threadpool_limits(1):  # the number of threads moves the last bits
        head = encoder_head.fit(f_NF[~held], w_NW[~held], f_NF[held], w_NW[held], widths, rank)
    norms = np.linalg.norm(w_NW[~held].astype(np.float64), axis=1)
    made = card.model_copy(
        update={
            "inputs": {**card.inputs, FEATURES: table.digest},
            "codes": TrainedCodes(space="w", norm_mean=norms.mean(), norm_min=norms.min(), norm_max=norms.max()),
            "metrics": {f"{SUBJECT}.w.{name}": number for name, number in head.metrics.items()},
        }
    )
    return ArtifactFiles({MODEL: safetensors.torch.save(head.tensors)}, Card(**dict(made)))
