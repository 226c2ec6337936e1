"""The networks that say how alike two pictures of a face are: those that an inversion follows, and those that only
measure.

Shapes: N rows, E numbers of an embedding, P = 5 points.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.models.classifiers import identity, parsing, perceptual
from pipeline.models.classifiers.dlib_identity import NETWORK as DLIB
from pipeline.models.classifiers.dlib_identity import DlibIdentity
from pipeline.models.classifiers.parsing import FaceParser
from pipeline.models.classifiers.perceptual import Trunk

OTHER: Mapping[Trunk, Trunk] = {"alex": "vgg", "vgg": "alex"}


class Distance(Protocol):
    """A perceptual distance, as `PerceptualDistance`: the same methods."""

    def __call__(self, x_N3HW: Tensor) -> list[Tensor]: ...

    def between(self, these: list[Tensor], others: list[Tensor]) -> Tensor: ...

    def maps(self, these: list[Tensor], others: list[Tensor]) -> list[Tensor]: ...


class Embeds(Protocol):
    """Whose face it is: (N, 3, H, W) in [-1, 1] -> (N, E) of length 1, aligned by points (N, P, 2) or by its own."""

    def __call__(self, x_N3HW: Tensor, points_NP2: Tensor | None = None) -> Tensor: ...

    def points(self, x_N3HW: Tensor) -> Tensor: ...


@dataclass(frozen=True)
class Likeness:
    """distance, identity: what is followed. other_distance, second_identity: what is not. parser: where the face is.

    second_identity: (N, 3, H, W) in [-1, 1] -> (N, E), NaN where it sees no face; their Euclidean distance counts.
    fingerprint: hex digest of all of them. networks: their names in the catalogue.
    """

    distance: Distance
    other_distance: Distance
    identity: Embeds
    second_identity: Callable[[Tensor], NDArray]
    parser: FaceParser
    fingerprint: str
    networks: tuple[str, ...]


def load(name: str = "fr", trunk: Trunk = "alex", device: str | torch.device = "cpu") -> Likeness:
    """The networks on a device. trunk: of the perceptual distance that is followed; the other one measures.

    name: `fr`, or `tiny`: for tests, which know no face.

    Raises:
        ModelFileError: a network has not been pulled, or is damaged.
        SpecError: dlib is not installed.
    """
    if name == "tiny":
        from pipeline.photos import tiny_likeness as tiny

        parser = parsing.load("tiny", device)
        digest = hashlib.sha256(f"{tiny.DIGEST} {parser.fingerprint}".encode()).hexdigest()
        small = tiny.SmallPictures(16, 8), tiny.SmallPictures(4)
        return Likeness(*small, tiny.Middle(), tiny.second_identity, parser, digest, ())
    distances = {each: perceptual.load_distance(device, each) for each in (trunk, OTHER[trunk])}
    embeds, second, parser = identity.load(device), DlibIdentity(), parsing.load("faces", device)
    facts = {
        "distances": [one.fingerprint for one in distances.values()],
        "identities": [embeds.fingerprint, second.fingerprint],
        "parser": parser.fingerprint,
    }
    return Likeness(
        distance=distances[trunk],
        other_distance=distances[OTHER[trunk]],
        identity=embeds,
        second_identity=second,
        parser=parser,
        fingerprint=hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest(),
        networks=(*(one.name for one in distances.values()), *identity.NETWORKS, DLIB, *parser.networks),
    )
