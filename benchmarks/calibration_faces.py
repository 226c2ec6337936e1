"""Faces to measure with, made once and kept: seeded, at psi 0.7, 512 px, in chunks, so that a stopped run continues.

Kept in the local cache (`STYLEMILL_HOME`), beside the raw statistics that the families gave of them.

Shapes: N rows, H and W 512 pixels.
"""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.models import generators
from pipeline.models.codes import Codes
from pipeline.models.faces import to_pixels
from pipeline.models.randomness import standard_normal
from pipeline.models.zoo import cache

GENERATOR = "mobilestylegan-ffhq"
PSI = 0.7
SIZE = 512
CHUNK = 100
BATCH = 2


class Faces:
    """The first `rows` faces of a seed. Indexing gives uint8 (H, W, 3)."""

    def __init__(self, seed: int, rows: int) -> None:
        self.seed, self.rows = seed, rows
        self.folder = cache.home() / "calibration"
        self.folder.mkdir(parents=True, exist_ok=True)
        self._generator: generators.Generator | None = None
        self._chunks = {first: self._chunk(first) for first in range(0, rows, CHUNK)}

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        return self._chunks[index - index % CHUNK][index % CHUNK]

    def batches(self, first: int, last: int) -> Iterator[Tensor]:
        """Pictures (BATCH, 3, H, W) in [-1, 1] of rows first to last - 1, in order."""
        for at in range(first, last, BATCH):
            pixels = np.stack([self[i] for i in range(at, at + BATCH)])
            yield torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div(127.5).sub(1).contiguous()

    def measured(self, name: str, version: str, measure: Callable[[Tensor], dict[str, Tensor]]) -> dict[str, NDArray]:
        """What `measure` gives of every face, (N, ...) by name; kept by chunk under `name` and `version`."""
        digest = hashlib.sha256(version.encode()).hexdigest()[:12]
        parts: list[dict[str, NDArray]] = []
        for first in range(0, self.rows, CHUNK):
            last = min(first + CHUNK, self.rows)
            file = self.folder / f"{name}-{self.seed}-{first}-{last}-{digest}.npz"
            if not file.exists():
                with torch.no_grad():
                    found = [measure(x_N3HW) for x_N3HW in self.batches(first, last)]
                columns = {key: torch.cat([batch[key] for batch in found]).numpy() for key in found[0]}
                _save(file, lambda temporary, columns=columns: np.savez(temporary, **columns))
            parts.append(dict(np.load(file)))
        return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}

    def _chunk(self, first: int) -> NDArray[np.uint8]:
        file = self.folder / f"faces-{self.seed}-{first}-{CHUNK}.npy"
        if not file.exists():
            if self._generator is None:
                self._generator = generators.load(GENERATOR)
            pictures = [_pixels(self._generator, self.seed, at) for at in range(first, first + CHUNK, BATCH)]
            _save(file, lambda temporary: np.save(temporary, np.concatenate(pictures)))
            print(f"seed {self.seed}: faces {first} to {first + CHUNK - 1}", flush=True)
        chunk: NDArray[np.uint8] = np.load(file, mmap_mode="r")
        return chunk


@torch.no_grad()
def _pixels(generator: generators.Generator, seed: int, first: int) -> NDArray[np.uint8]:
    z_NZ = torch.from_numpy(standard_normal(seed, range(first, first + BATCH), generator.z_dim))
    x_N3HW = generator.synthesize(Codes("w+", generator.map(z_NZ, PSI)), SIZE)
    return to_pixels(x_N3HW)


def _save(file: Path, write: Callable[[Path], None]) -> None:
    """Whole or not at all."""
    temporary = file.with_name(f".{file.stem}.part{file.suffix}")
    write(temporary)
    temporary.replace(file)
