"""Directions found without labels, named by what they are seen to move: faces along each of them are made and scored.

Shapes: M faces that are moved, K components, W w_dim, A attributes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

import schemas
from pipeline.directions.direction import Direction
from pipeline.directions.ganspace import Moments, named_by_effect
from pipeline.engine.stage import NOT_FINITE, Batch, Reject, Task
from pipeline.models.codes import Codes
from pipeline.stages.codes import codes_of, needed_columns
from pipeline.stages.direction_rows import to_rows
from pipeline.stages.microbatch import no_rows
from pipeline.stages.models import ClassifierRef, Model, Runtime, open_generator, open_scorer
from pipeline.stages.source import Latents
from schemas import TableSchema


@dataclass(frozen=True, eq=False)
class ComponentsStage:
    """Move faces along each component, score them, and name it after the attribute that it moves most; task k is
    component k.

    components: directions of w, named pc0, ... or sefa0, ... deviations: (K,) standard deviation of the codes along
    each. faces: (M, W) of the faces. strength: how many deviations to either side they are moved.
    """

    components: tuple[Direction, ...]
    deviations: NDArray[np.float64]
    faces: NDArray[np.float32]
    strength: float
    generator: Model
    classifiers: ClassifierRef
    runtime: Runtime
    name: str = field(default="components", init=False)
    version: int = field(default=1, init=False)

    @property
    def outputs(self) -> Mapping[str, TableSchema]:
        return {"effects": schemas.effects(), "directions": schemas.directions()}

    def open(self) -> "ComponentsWorker":
        return ComponentsWorker(self)


class ComponentsWorker:
    """The stage with its models open."""

    def __init__(self, stage: ComponentsStage) -> None:
        self.stage = stage
        generator = open_generator(stage.generator, stage.runtime)
        self.faces = open_scorer(generator, stage.runtime, [stage.classifiers])

    def run(self, task: Task) -> Iterator[Batch]:
        """One batch for each component."""
        for index in range(task.first, task.stop):
            if task.wanted(np.array([index])).any():
                yield self._measure(index)

    def _measure(self, index: int) -> Batch:
        stage, attributes = self.stage, self.stage.classifiers.attributes
        component, deviation = stage.components[index], float(stage.deviations[index])
        step_W = (stage.strength * deviation * component.vector.astype(np.float64)).astype(np.float32)
        plus, minus = np.split(self._scores(np.concatenate([stage.faces + step_W, stage.faces - step_W])), 2)
        change_A = (plus - minus).mean(axis=0, dtype=np.float64) / (2 * stage.strength)
        seconds = self.faces.take_seconds()
        if not np.isfinite(change_A).all():
            culprits = [name for name, change in zip(attributes, change_A, strict=True) if not np.isfinite(change)]
            return Batch(no_rows(stage.outputs), (Reject(index, NOT_FINITE, ", ".join(culprits)),), seconds)
        changes = dict(zip(attributes, map(float, change_A), strict=True))
        named, sign = named_by_effect(component, changes, stage.classifiers.family.fingerprint)
        effects = schemas.effects().rows(
            {
                "index": np.full(len(changes), index),
                "place": range(len(changes)),
                "component": component.attribute,
                "measured": list(changes),
                "change": sign * change_A,
                "deviation": deviation,
                "strength": stage.strength,
                "rows": np.full(len(changes), len(stage.faces)),
            }
        )
        return Batch({"effects": effects, "directions": to_rows([named], index)}, (), seconds)

    def _scores(self, w_MW: NDArray[np.float32]) -> NDArray[np.float32]:
        """(M, A)."""
        columns = self.faces.look_at_all(Codes("w", torch.from_numpy(w_MW)), self.stage.runtime.batch_size)
        return np.stack([columns[name] for name in self.stage.classifiers.attributes], axis=1)


def moments_of(latents: Latents) -> Moments:
    """Moments of w over latents, a shard at a time.

    Raises:
        SpecError: they keep no w, or there is no row.
        StoreError: it cannot be read.
    """
    moments = None
    columns = needed_columns(latents.schema, "w")
    for rows in latents.pieces(columns):
        mine = Moments.of(codes_of(rows, "w", None))
        moments = mine if moments is None else moments.merge(mine)
    return moments or Moments.of(codes_of(latents.head(columns, 1), "w", None))  # which says that there is no row
