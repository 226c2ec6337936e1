"""Small random networks with the interface of the real ones: a pipeline can be tested with them in seconds, offline.

They look at pictures of any size and their scores vary from picture to picture; they recognise nothing. `tiny` stands
in for `faces` and `tiny-judge` for `judge`: each sees the attributes that these see.
"""

import hashlib
import zlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, interpolate

from pipeline.models.classifiers import attributes
from pipeline.models.classifiers.attribute import Reading
from pipeline.models.classifiers.boundary import SameShare
from pipeline.models.classifiers.calibration import Scale
from pipeline.models.classifiers.crops import Crop
from pipeline.models.classifiers.networks import Networks
from pipeline.models.classifiers.parser import CLASSES

CROP = Crop(0.0, 0.0, 1.0, 1.0, 16, 16)
STANDS_IN = {"tiny": "faces", "tiny-judge": "judge"}
SEEDS = {"tiny": 1, "tiny-judge": 2}
PARSER_SEED, LANDMARKS_SEED = 3, 4
FEATURES = 32 * 16
HEAD = ("smile", "male", "old", "eyeglasses", "yaw", "age_years")
"""Statistics whose weights are drawn together. Those of any other are drawn by its name, so that it moves none."""
UNITS = {"yaw": 10.0, "age_years": 10.0}
"""Degrees and years; all else varies by about 1."""
OFFSETS = {"age_years": 30.0}


class Seen(NamedTuple):
    """features (N, 512), and the statistics of HEAD (N, 6)."""

    features: Tensor
    head: Tensor


class TinyReader(nn.Module):
    """Two convolutions and a linear layer."""

    def __init__(self, seed: int, networks: Networks | None = None) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)  # torch.manual_seed asks all kinds of devices too
            self.body = nn.Sequential(
                nn.Conv2d(3, 16, 3, stride=2, padding=1),
                nn.SiLU(),
                nn.Conv2d(16, 32, 3, stride=2, padding=1),
                nn.SiLU(),
            )
        self.register_buffer("head", torch.randn(FEATURES, len(HEAD), generator=generator))
        self.requires_grad_(False)
        if networks is not None:
            networks.digests["tiny"] = self.digest()

    def forward(self, x_N3HW: Tensor) -> Seen:
        """(N, 3, H, W) in [-1, 1] -> what statistics are taken from."""
        features_NF = self.body(CROP(x_N3HW)).flatten(1)
        return Seen(features_NF, features_NF @ self.head)

    def digest(self) -> str:
        """Of its random weights."""
        digest = hashlib.sha256()
        for _, tensor in sorted(self.state_dict().items()):
            digest.update(tensor.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()


class TinyParser(nn.Module):
    """In place of the face parser: one convolution, whose classes lie in patches."""

    weight: Tensor

    def __init__(self, networks: Networks) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(PARSER_SEED)
        self.register_buffer("weight", torch.randn(len(CLASSES), 3, 3, 3, generator=generator))
        self.requires_grad_(False)
        networks.digests["tiny-parser"] = hashlib.sha256(self.weight.numpy().tobytes()).hexdigest()

    def masks(self, x_N3HW: Tensor) -> Tensor:
        """(N, 3, H, W) in [-1, 1] -> (N, 19, H, W): probabilities, in the order of `parser.CLASSES`."""
        small: Tensor = CROP(x_N3HW)
        logits = conv2d(small - small.mean(dim=(2, 3), keepdim=True), self.weight, stride=2, padding=1)
        return interpolate(logits, size=x_N3HW.shape[2:], mode="bilinear", align_corners=False).softmax(1)


class TinyLandmarks(nn.Module):
    """In place of the landmarks: 68 points somewhere in the middle of the picture, the same for each."""

    points: Tensor

    def __init__(self, networks: Networks) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(LANDMARKS_SEED)
        self.register_buffer("points", 0.25 + 0.5 * torch.rand(68, 2, generator=generator))
        networks.digests["tiny-landmarks"] = hashlib.sha256(self.points.numpy().tobytes()).hexdigest()

    def forward(self, x_N3HW: Tensor) -> Tensor:
        """(N, 3, H, W) -> (N, 68, 2), fractions of the picture."""
        return self.points.expand(len(x_N3HW), -1, -1)


def readings(family: str) -> dict[str, Reading]:
    """What its model gives, by one tiny reader."""
    reader = partial(TinyReader, SEEDS[family])
    stand_ins = {model: tiny for tiny, model in STANDS_IN.items()}
    found = {}
    for name, reading in attributes.readings(STANDS_IN[family]).items():
        boundary = reading.boundary
        if isinstance(boundary, SameShare):
            boundary = replace(boundary, beside=stand_ins[boundary.beside])
        found[name] = Reading(reader, statistic(name, SEEDS[family]), boundary)
    return found


def statistic(name: str, seed: int) -> Callable[[Seen], Tensor]:
    """The statistic of that name, (N,)."""
    if name in HEAD:
        place, unit, offset = HEAD.index(name), UNITS.get(name, 1.0), OFFSETS.get(name, 0.0)
        return lambda seen: seen.head[:, place] * unit + offset
    generator = torch.Generator().manual_seed(zlib.crc32(f"{seed} {name}".encode()))
    weight_F = torch.randn(FEATURES, generator=generator)
    return lambda seen: seen.features @ weight_F.to(seen.features)


def scales(family: str) -> dict[str, Scale]:
    """The boundary is 0 and the unit what the statistics were made with: no faces are needed to know."""
    return {name: Scale(0.0, UNITS.get(name, 1.0)) for name in readings(family)}
