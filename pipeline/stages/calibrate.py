"""Raw statistics of families of classifiers on faces of a generator: what boundaries and units are found from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch

import schemas
from pipeline.engine.stage import Batch, Rows, Task
from pipeline.models.classifiers.own_name import short_name
from pipeline.models.classifiers.raw import RawFamily, statistics
from pipeline.models.codes import Codes
from pipeline.models.faces import FaceScorer
from pipeline.models.randomness import standard_normal
from pipeline.stages.microbatch import Columns, Indices, Slots, batch_of, computed_or_rejected, rows_of
from pipeline.stages.models import Model, Runtime, open_generator
from schemas import TableSchema


@dataclass(frozen=True)
class CalibrateStage:
    """Sample faces and keep what families see of them; a family goes by the fingerprint of its statistics."""

    generator: Model
    families: tuple[Model, ...]
    seed: int
    psi: float
    runtime: Runtime
    name: str = field(default="calibrate", init=False)
    version: int = field(default=1, init=False)

    @property
    def outputs(self) -> Mapping[str, TableSchema]:
        names = [f"{short_name(one.name)}_{name}" for one in self.families for name in statistics(one.name)]
        return {"statistics": schemas.statistics(names)}

    def open(self) -> "CalibrateWorker":
        return CalibrateWorker(self)


class CalibrateWorker:
    """The stage with its models open."""

    def __init__(self, stage: CalibrateStage) -> None:
        self.stage = stage
        generator = open_generator(stage.generator, stage.runtime)
        families = {f"{short_name(one.name)}_": RawFamily(one.name, generator.backend.device) for one in stage.families}
        for one, family in zip(stage.families, families.values(), strict=True):
            one.check(family.statistics.fingerprint)
        self.faces = FaceScorer(generator, families, psi=stage.psi)
        self.faces.warm_up(stage.runtime.batch_size)

    def run(self, task: Task) -> Iterator[Batch]:
        """One batch for each micro-batch of the shard."""
        for came_out in computed_or_rejected(task, self.stage.runtime.batch_size, self._compute):
            yield batch_of(self.stage.outputs, came_out, self._tables, self.faces.take_seconds())

    def _compute(self, index: Indices, slots: Slots) -> Columns:
        z_NZ = np.zeros((len(index), self.faces.generator.z_dim), dtype=np.float32)
        z_NZ[slots] = standard_normal(self.stage.seed, index[slots], z_NZ.shape[1])
        return self.faces.look(Codes("z", torch.from_numpy(z_NZ)))

    def _tables(self, index: Indices, columns: Columns) -> dict[str, Rows]:
        return {"statistics": rows_of(self.stage.outputs["statistics"], {**columns, "index": index})}
