"""Raw statistics of families of classifiers on faces of a generator: what boundaries and units are found from.

Shapes: N rows, Z z_dim, 3HW pixels.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

import schemas
from pipeline.engine.stage import Batch, Task
from pipeline.models import classifiers
from pipeline.models.classifiers import READINGS, Family
from pipeline.models.classifiers.boundary import Mirror
from pipeline.models.codes import Codes
from pipeline.models.faces import FaceScorer
from pipeline.models.randomness import standard_normal
from pipeline.stages.dataset import rows_of
from pipeline.stages.microbatch import Columns, Slots, aligned, settle
from pipeline.stages.models import Model, Runtime, open_generator
from schemas import TableSchema
from schemas.statistics import MIRRORED


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
        return {"statistics": schemas.statistics([name for one in self.families for name in columns_of(one.name)])}

    def open(self) -> "CalibrateWorker":
        return CalibrateWorker(self)


def columns_of(family: str) -> list[str]:
    """The columns of a family's statistics."""
    return [f"{family}_{name}" for name in (*READINGS[family], *(f"{one}{MIRRORED}" for one in mirrored(family)))]


def mirrored(family: str) -> list[str]:
    """The attributes whose boundary is found from mirror images."""
    return [name for name, reading in READINGS[family].items() if isinstance(reading.boundary, Mirror)]


class RawFamily(Family):
    """A family whose columns are its raw statistics, those of mirror images where a boundary asks for them, and
    `picture`, which is finite where the picture is.

    Pictures are rounded to 8 bits first: the constants of the built-in generator were measured on such.
    """

    def __init__(self, name: str, device: torch.device) -> None:
        super().__init__(name, classifiers.statistics_of(name, tuple(READINGS[name]), device), {}, (), False, ())
        self.measures = (*READINGS[name], *(f"{one}{MIRRORED}" for one in mirrored(name)), "picture")

    @torch.no_grad()
    def columns(self, x_N3HW: Tensor, names: Sequence[str], constant: Sequence[str] = ()) -> dict[str, Tensor]:
        """(N, 3, H, W) in [-1, 1] -> columns by name, (N,) each; none carries a gradient."""
        rounded_N3HW = (x_N3HW * 127.5 + 128).clamp(0, 255).to(torch.uint8).float().div(127.5).sub(1)
        found = self.raw(rounded_N3HW, tuple(READINGS[self.name]))
        of_mirror_images = self.raw(rounded_N3HW.flip(3), mirrored(self.name))
        found |= {f"{name}{MIRRORED}": raw_N for name, raw_N in of_mirror_images.items()}
        found["picture"] = x_N3HW.mean(dim=(1, 2, 3))
        return {name: found[name] for name in (*names, *constant)}


class CalibrateWorker:
    """The stage with its models open."""

    def __init__(self, stage: CalibrateStage) -> None:
        self.stage = stage
        generator = open_generator(stage.generator, stage.runtime)
        families = {f"{one.name}_": RawFamily(one.name, generator.backend.device) for one in stage.families}
        for one, family in zip(stage.families, families.values(), strict=True):
            one.check(family.statistics.fingerprint)
        self.faces = FaceScorer(generator, families, psi=stage.psi)
        self.faces.warm_up(stage.runtime.batch_size)

    def run(self, task: Task) -> Iterator[Batch]:
        """One batch for each micro-batch of the shard."""
        schema = self.stage.outputs["statistics"]
        for index in aligned(task.first, task.stop, self.stage.runtime.batch_size):
            wanted = task.wanted(index)
            if wanted.any():
                kept, columns, rejects = settle(index, wanted, partial(self._compute, index))
                rows = rows_of(schema, {**columns, "index": kept}) if len(kept) else schema.arrow.empty_table()
                yield Batch({"statistics": rows}, tuple(rejects), self.faces.take_seconds())

    def _compute(self, index: NDArray[np.int64], slots: Slots) -> Columns:
        z_NZ = np.zeros((len(index), self.faces.generator.z_dim), dtype=np.float32)
        z_NZ[slots] = standard_normal(self.stage.seed, index[slots], z_NZ.shape[1])
        return self.faces.look(Codes("z", torch.from_numpy(z_NZ)))
