"""Faces made from codes and looked at: scores of families of classifiers, pictures, whose face it is.

Shapes: N rows, 3HW pixels, E numbers of an embedding.
"""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.errors import ModelFileError
from pipeline.models import classifiers
from pipeline.models.classifiers.identity import Identity
from pipeline.models.classifiers.networks import Networks
from pipeline.models.codes import Codes
from pipeline.models.generators import Generator
from pipeline.stages.models import JUDGED_SIZE, Model, Runtime, room_for
from pipeline.stages.pictures import Keep

EMBEDDING = "embedding"


@dataclass(frozen=True)
class Panel:
    """A family of classifiers and the attributes that it scores; its columns are named `prefix` + attribute."""

    family: Model
    attributes: tuple[str, ...]
    prefix: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self.prefix + name for name in self.attributes)


@dataclass(frozen=True)
class Truncated:
    """The truncation of the latents table that z came from: z is mapped with it."""

    psi: float = 1.0
    cutoff: int | None = None


class Looker:
    """A generator and those who look at its faces. Micro-batches of one size come in, columns go out."""

    def __init__(
        self,
        generator: Generator,
        runtime: Runtime,
        panels: Sequence[Panel],
        keep: Keep | None = None,
        truncated: Truncated = Truncated(),
        identity: str | None = None,
    ) -> None:
        """identity: digest of the network that tells whose face it is; None to do without."""
        self.generator, self.panels, self.keep, self.truncated = generator, tuple(panels), keep, truncated
        self.device = torch.device(runtime.device)
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._judged = min(JUDGED_SIZE, generator.resolution)
        self._families = [open_family(panel, runtime) for panel in panels]
        self._identity = _open_identity(identity, runtime.device) if identity else None
        with room_for(runtime.batch_size):  # what is tuned at first use, and a lack of memory, belong to opening
            self.look(Codes("w", torch.zeros(runtime.batch_size, generator.w_dim)))
        self.take_seconds()

    @torch.no_grad()
    def look(self, codes: Codes) -> dict[str, NDArray]:
        """Columns of N rows: scores (N,) float32, `embedding` (N, E); `pixels` uint8 (N, size, size, 3) where pictures
        are kept, with `picture` (N,), which is finite where they are.
        """
        begun = time.perf_counter()
        state, x_N3HW = self._faces(codes)
        columns: dict[str, NDArray] = {}
        if self.keep is not None:
            kept = x_N3HW if self.keep.size == self._judged else self.generator.image(state, self.keep.size)
            columns["pixels"] = (kept.permute(0, 2, 3, 1) * 127.5 + 128).clamp(0, 255).to(torch.uint8).cpu().numpy()
            columns["picture"] = x_N3HW.mean(dim=(1, 2, 3)).float().cpu().numpy()
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        synthesised = time.perf_counter()
        for panel, family in zip(self.panels, self._families, strict=True):
            y_NA = family.scores(x_N3HW).float().cpu().numpy()
            columns.update({name: y_NA[:, place] for place, name in enumerate(panel.columns)})
        if self._identity is not None:
            columns[EMBEDDING] = self._identity(x_N3HW).float().cpu().numpy()
        self.seconds["synth_seconds"] += synthesised - begun
        self.seconds["score_seconds"] += time.perf_counter() - synthesised
        return columns

    @torch.no_grad()
    def scores(self, codes: Codes) -> Mapping[str, Tensor]:
        """Scores (N,) by attribute, by the first family."""
        begun = time.perf_counter()
        y_NA = self._families[0].scores(self._faces(codes)[1])
        self.seconds["search_seconds"] += time.perf_counter() - begun
        return {name: y_NA[:, place] for place, name in enumerate(self.panels[0].attributes)}

    def take_seconds(self) -> dict[str, float]:
        """Seconds since last asked, by what they went into; on a GPU the most memory used so far besides, in bytes."""
        seconds, self.seconds = dict(self.seconds), defaultdict(float)
        if self.device.type == "cuda":
            seconds["peak_device_bytes"] = float(torch.cuda.max_memory_allocated(self.device))
        return seconds

    def _faces(self, codes: Codes) -> tuple[tuple[Tensor, ...], Tensor]:
        """The state after the last layer, and the pictures that are looked at."""
        generator, codes = self.generator, codes.to(self.device)
        if codes.space == "z":
            s_NS = generator.styles(generator.map(codes.values, self.truncated.psi, self.truncated.cutoff))
        else:
            s_NS = generator.styles_of(codes)
        state = generator.run(s_NS, generator.start(len(codes)), 0, len(generator.style_layers))
        return state, generator.image(state, self._judged)


def padded(codes: Codes, slots: NDArray[np.bool_], padding: float = 0.0) -> Codes:
    """The codes with `padding` in the rows outside `slots`, (N,)."""
    if slots.all():
        return codes
    values = codes.values.clone()
    values[torch.from_numpy(~slots)] = padding
    return Codes(codes.space, values)


def identity_digest() -> str:
    """Of the networks that tell whose face it is. Raises ModelFileError where they have not been pulled."""
    networks = Networks("cpu")
    Identity(networks)
    return "+".join(networks.digests[name] for name in sorted(networks.digests))


def open_family(panel: Panel, runtime: Runtime) -> classifiers.Family:
    """The classifiers of a panel. Raises ModelFileError where they are others than the job was started with."""
    family = classifiers.load(panel.family.name, panel.attributes, runtime.device, runtime.backend, measures=())
    panel.family.check(family.fingerprint)
    return family


def _open_identity(digest: str, device: str) -> Identity:
    networks = Networks(device)
    identity = Identity(networks)
    if digest != "+".join(networks.digests[name] for name in sorted(networks.digests)):
        raise ModelFileError("the networks of identity are others than the job was started with; put the old ones back")
    return identity.to(device).eval()
