"""Codes of one's own become rows of a latents table; w is computed where they are z.

Shapes: N rows, B slots of a micro-batch, Z z_dim, L layers, W w_dim.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

import schemas
from pipeline.engine.stage import Batch, Rows, Task
from pipeline.models.codes import Codes, Space
from pipeline.stages.microbatch import Columns, Indices, Slots, batch_of, computed_or_rejected, rows_of
from pipeline.stages.models import Model, Runtime, open_generator
from schemas import TableSchema


@dataclass(frozen=True, eq=False)
class ImportStage:
    """Rows of codes, in rising order of index.

    values: (N, Z), (N, W) or (N, L, W), as `space` says. psi: of the rows, which z are mapped with.
    """

    space: Space
    index: Indices
    values: NDArray[np.float32]
    psi: Sequence[float | None]
    seed: Sequence[int | None]
    key: Sequence[str] | None
    generator: Model
    w_dim: int
    runtime: Runtime
    name: str = field(default="latents-import", init=False)
    version: int = field(default=1, init=False)

    @property
    def outputs(self) -> Mapping[str, TableSchema]:
        layers = self.values.shape[1] if self.space == "w+" else None
        with_z = self.space == "z"
        z_dim = self.values.shape[1] if with_z else 512
        kept = "w" if layers is None else "w+"
        return {"latents": schemas.latents(kept, self.w_dim, layers, with_z, self.key is not None, z_dim)}

    def open(self) -> "ImportWorker":
        return ImportWorker(self)


class ImportWorker:
    """The stage; with its generator open, where there is z to map."""

    def __init__(self, stage: ImportStage) -> None:
        self.stage = stage
        self.generator = open_generator(stage.generator, stage.runtime) if stage.space == "z" else None

    def run(self, task: Task) -> Iterator[Batch]:
        """One batch for each micro-batch of the shard."""
        stage = self.stage
        for came_out in computed_or_rejected(task, stage.runtime.batch_size, self._compute, there=stage.index):
            yield batch_of(stage.outputs, came_out, self._tables)

    @torch.no_grad()
    def _compute(self, index: Indices, slots: Slots) -> Columns:
        """`w` (B, W), with `z` (B, Z) where it is mapped, or `ws` (B, L, W)."""
        stage = self.stage
        places = np.searchsorted(stage.index, index[slots])
        codes = Codes(stage.space, torch.from_numpy(stage.values[places])).in_slots(slots, len(slots))
        values = codes.values.numpy()
        if self.generator is None:
            return {"ws" if stage.space == "w+" else "w": values}
        z_BZ = codes.to(stage.runtime.device).values
        w_BW = np.zeros((len(index), stage.w_dim), dtype=np.float32)
        psis = np.ones(len(index))
        psis[slots] = [stage.psi[place] for place in places]
        for psi in np.unique(psis):
            its = psis == psi
            w_BW[its] = self.generator.map(z_BZ, float(psi))[:, 0].cpu().numpy()[its]
        return {"z": values, "w": w_BW}

    def _tables(self, index: Indices, columns: Columns) -> dict[str, Rows]:
        """The codes, and the columns that say where the rows come from."""
        stage, places = self.stage, np.searchsorted(self.stage.index, index)
        facts = {
            "index": index,
            "psi": [stage.psi[place] for place in places],
            "seed": [stage.seed[place] for place in places],
            "key": [stage.key[place] for place in places] if stage.key is not None else None,
            "generator": stage.generator.identity,
        }
        return {"latents": rows_of(stage.outputs["latents"], {**columns, **facts})}
