"""A linear classifier of one's own, trained on the pictures of a table: one task, whose result is an artifact.

Shapes: N labelled pictures, M others, F features.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from pipeline.card import Card
from pipeline.engine.stage import Progress, Task
from pipeline.errors import ModelFileError, StoreError
from pipeline.exports.format import Picture, Undecodable
from pipeline.models.classifiers import linear_head
from pipeline.models.classifiers.features import Features
from pipeline.stages.models import MODEL, Runtime
from pipeline.tables import Artifact, ArtifactFiles, Table

FIGURES = "classifier"
"""With which the names of its metrics begin."""


@dataclass(frozen=True, eq=False)
class TrainClassifierStage:
    """images: URL of the table. index (N,), yes (N,): the labelled pictures; others (M,): rows that tell how scores
    vary. features: names; networks: digests of what makes them. joins: the family that the classifier joins, or none.
    card: all that is known of the artifact beforehand.
    """

    images: str
    index: NDArray[np.int64]
    yes: NDArray[np.bool_]
    others: NDArray[np.int64]
    attribute: str
    features: tuple[str, ...]
    networks: Mapping[str, str]
    joins: str | None
    seed: int
    card: Card
    runtime: Runtime
    name: str = field(default="train-classifier", init=False)
    version: int = field(default=1, init=False)

    @property
    def outputs(self) -> Mapping[str, type[Artifact]]:
        return {"artifact": Artifact}

    def open(self) -> "TrainClassifierWorker":
        torch.set_num_threads(self.runtime.threads)
        return TrainClassifierWorker(self)


class TrainClassifierWorker:
    """The stage with the networks of its features open."""

    def __init__(self, stage: TrainClassifierStage) -> None:
        self.stage = stage
        self.networks = Features(stage.features, stage.runtime.device)
        if self.networks.digests != stage.networks:
            raise ModelFileError(
                "the networks of --features are others on this machine than the job was started with: stylemill models "
                "pull them again"
            )

    def run(self, task: Task) -> Iterator[Progress]:
        """The artifact."""
        stage = self.stage
        wanted = np.union1d(stage.index, stage.others)
        f_PF = self._features(wanted)
        labelled, others = (np.searchsorted(wanted, rows) for rows in (stage.index, stage.others))
        with threadpool_limits(1):  # the number of threads moves the last bits
            head = linear_head.fit(f_PF[labelled], stage.yes, f_PF[others], stage.seed)
        tensors = {"weight": torch.from_numpy(head.weight), "intercept": torch.tensor([head.intercept]).float()}
        weights = safetensors.torch.save(tensors)
        files = {MODEL: weights, f"{stage.attribute}.yaml": self._file(head, weights)}
        metrics = {f"{FIGURES}.{stage.attribute}.{name}": number for name, number in head.metrics.items()}
        card = Card(**{**dict(stage.card), "metrics": metrics})
        yield Progress(task.stop, ArtifactFiles(files, card), {"steps": 1.0})

    def _features(self, wanted: NDArray[np.int64]) -> NDArray[np.float32]:
        """(P, F) of these rows, rising. Raises StoreError where a picture cannot be read."""
        found: list[NDArray[np.float32]] = []
        waiting: list[NDArray[np.float32]] = []
        for rows in Table(self.stage.images).batches(["index", "image"], rows=64):
            for index, image in zip(rows["index"].to_pylist(), rows["image"].to_pylist(), strict=True):
                place = np.searchsorted(wanted, index)
                if place == len(wanted) or wanted[place] != index:
                    continue
                pixels = self._pixels(index, image["bytes"])
                if waiting and (len(waiting) == self.stage.runtime.batch_size or waiting[0].shape != pixels.shape):
                    found.append(self._seen(waiting))
                    waiting = []
                waiting.append(pixels)
        if waiting:
            found.append(self._seen(waiting))
        return np.concatenate(found)

    def _pixels(self, index: int, content: bytes) -> NDArray[np.float32]:
        """(3, H, W) in [-1, 1]."""
        try:
            image = Picture((index,), content, {}).decoded()
        except Undecodable as error:
            raise StoreError(f"{self.stage.images} row {index}: {error}") from error
        return np.asarray(image, dtype=np.float32).transpose(2, 0, 1) / 127.5 - 1

    def _seen(self, pictures: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        """(n, F): of a whole micro-batch, since its size moves the last bits."""
        some = pictures + pictures[-1:] * (self.stage.runtime.batch_size - len(pictures))
        seen: torch.Tensor = self.networks(torch.from_numpy(np.stack(some)).to(self.stage.runtime.device))
        return seen[: len(pictures)].float().cpu().numpy()

    def _file(self, head: linear_head.LinearHead, weights: bytes) -> bytes:
        """The YAML file that other verbs take as --classifiers."""
        stage = self.stage
        lines = [
            f"# by stylemill train classifier, from {len(stage.index):,} labelled faces, {int(stage.yes.sum()):,} of "
            f"them with {stage.attribute}",
            f"weights: {MODEL}",
            f"sha256: {hashlib.sha256(weights).hexdigest()}",
            f"features: [{', '.join(stage.features)}]",
            *([] if stage.joins is None else [f"joins: {json.dumps(stage.joins)}"]),
            "attributes:",
            f"  {stage.attribute}:",
            "    logit: 0",
            "    boundary: 0",
            f"    unit: {head.unit!r}",
        ]
        return ("\n".join(lines) + "\n").encode()
