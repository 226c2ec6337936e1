"""The models of a stage, opened on the machine that runs them: generator, classifiers, and how they are run.

Shapes: N rows, L layers, W w_dim, A attributes.
"""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.errors import ModelFileError, SpecError
from pipeline.models import classifiers, generators
from pipeline.stages.microbatch import no_rows_fault
from pipeline.stages.pictures import Keep

JUDGED_SIZE = 512
"""Classifiers look at the generator's 512 px picture, or at its largest where that is smaller."""


@dataclass(frozen=True)
class Runtime:
    """How networks are run; resolved once, kept in the stored spec, the same on every worker."""

    device: str
    threads: int
    backend: str
    precision: str
    batch_size: int


@dataclass(frozen=True)
class Model:
    """A model by name or path, and the fingerprint that it had when the job was first started."""

    name: str
    fingerprint: str

    def check(self, found: str) -> None:
        """Raise ModelFileError where another model answers to this name now."""
        if found != self.fingerprint:
            raise ModelFileError(
                f"{self.name} has the fingerprint {found[:12]} on this machine, the job was started with "
                f"{self.fingerprint[:12]}: the model file or the installed stylemill changed; put the old one back"
            )


def open_generator(model: Model, runtime: Runtime) -> generators.Generator:
    """The generator on the runtime's device, checked against its fingerprint."""
    generator = generators.load(
        model.name,
        device=runtime.device,
        backend=runtime.backend,
        precision=runtime.precision,
        threads=runtime.threads,
    )
    model.check(generator.fingerprint)
    return generator


@contextmanager
def room_for(batch_size: int) -> Iterator[None]:
    """For the first micro-batch, of padding. Raises SpecError where memory runs out: what to do is the user's."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, MemoryError) or no_rows_fault(error):
            what = str(error).splitlines()[0]
            raise SpecError(
                f"no room for micro-batches of {batch_size}: pass a smaller --batch-size ({what})"
            ) from error
        raise


class FaceModels:
    """A generator and a family of classifiers at work on micro-batches."""

    def __init__(
        self, generator: Model, runtime: Runtime, family: Model, attributes: tuple[str, ...], keep: Keep | None = None
    ) -> None:
        self.generator = open_generator(generator, runtime)
        self.classifier = classifiers.load(family.name, attributes, device=runtime.device, backend=runtime.backend)
        family.check(self.classifier.fingerprint)
        self.device = torch.device(runtime.device)
        self.keep = keep
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._judged = min(JUDGED_SIZE, self.generator.resolution)
        with room_for(runtime.batch_size):  # what is compiled or tuned at first use belongs to opening, not to a row
            self.faces(self.map(np.zeros((runtime.batch_size, self.generator.z_dim), dtype=np.float32), 1.0, None))
        self.take_seconds()

    @torch.no_grad()
    def map(self, z_NZ: NDArray[np.float32], psi: float, cutoff: int | None) -> Tensor:
        """ws (N, L, W) on the device, truncated."""
        return self.generator.map(torch.from_numpy(z_NZ).to(self.device), psi, cutoff)

    @torch.no_grad()
    def faces(self, ws_NLW: Tensor) -> dict[str, NDArray]:
        """Labels (N,) by name, and `pixels` uint8 (N, size, size, 3) where pictures are kept."""
        begun = time.perf_counter()
        generator = self.generator
        state = generator.run(generator.styles(ws_NLW), generator.start(len(ws_NLW)), 0, len(generator.style_layers))
        x_N3HW = generator.image(state, self._judged)
        pixels = self._pixels(state, x_N3HW)
        self._wait()
        synthesised = time.perf_counter()
        columns = {name: score_N.float().cpu().numpy() for name, score_N in self.classifier.labels(x_N3HW).items()}
        if pixels is not None:
            columns["pixels"] = pixels.cpu().numpy()
            # uint8 hides what is not finite: the picture's mean stands for it
            columns["picture"] = x_N3HW.mean(dim=(1, 2, 3)).float().cpu().numpy()
        self.seconds["synth_seconds"] += synthesised - begun
        self.seconds["score_seconds"] += time.perf_counter() - synthesised
        return columns

    def take_seconds(self) -> dict[str, float]:
        """Seconds since last asked, by what they went into; on a GPU the most memory used so far besides, in bytes."""
        seconds, self.seconds = dict(self.seconds), defaultdict(float)
        if self.device.type == "cuda":
            seconds["peak_device_bytes"] = float(torch.cuda.max_memory_allocated(self.device))
        return seconds

    def _pixels(self, state: tuple[Tensor, ...], judged_N3HW: Tensor) -> Tensor | None:
        if self.keep is None:
            return None
        x_N3HW = judged_N3HW if self.keep.size == self._judged else self.generator.image(state, self.keep.size)
        return (x_N3HW.permute(0, 2, 3, 1) * 127.5 + 128).clamp(0, 255).to(torch.uint8)

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()
