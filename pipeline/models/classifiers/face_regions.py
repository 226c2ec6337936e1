"""Where an attribute shows in a face, by two networks: the face parser, and the judge's landmarks.

Editors may stay within the parser's region, so that what they keep outside it was optimised; the landmarks are the
judge's, which no editor uses.

Shapes: N rows, 19 classes of the face parser, H and W the picture's pixels.
"""

from __future__ import annotations

import hashlib
import json

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pipeline.models.classifiers import parsing, tiny
from pipeline.models.classifiers.attributes import ATTRIBUTES_BY_NAME
from pipeline.models.classifiers.landmarks import Landmarks
from pipeline.models.classifiers.networks import Networks
from pipeline.models.classifiers.parsing import FaceParser
from pipeline.models.classifiers.regions import dilated, mask_of

VERSION = 3
"""Raised by hand when equal networks give other regions."""

Mask = NDArray[np.bool_]


class FaceRegions:
    """Both networks.

    fingerprint: hex digest of their weights and of the version of this code. networks: their names.
    """

    def __init__(self, parser: FaceParser, landmarks: nn.Module, digests: dict[str, str]) -> None:
        self.parser, self.landmarks = parser, landmarks
        self.networks = (*parser.networks, *digests)
        grown = {name: one.grown for name, one in ATTRIBUTES_BY_NAME.items() if one.region}
        facts = {"version": VERSION, "parser": parser.fingerprint, "landmarks": digests, "grown": grown}
        self.fingerprint = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    def of(self, x_N3HW: Tensor, there_N: Mask | None = None) -> Regions:
        """The regions of pictures in [-1, 1]; a network looks when the first region by it is asked for.

        there_N: which of them are faces; others are padding, and have any region. None where all are.
        """
        return Regions(self, x_N3HW, np.ones(len(x_N3HW), dtype=bool) if there_N is None else there_N)


class Regions:
    """The regions of some pictures, each grown as the attribute says."""

    def __init__(self, networks: FaceRegions, x_N3HW: Tensor, there_N: Mask) -> None:
        self._networks, self._x_N3HW, self._there_N = networks, x_N3HW, there_N
        self._seen: dict[str, Tensor] = {}
        self._masks: dict[tuple[str, str], Mask] = {}

    def by_parser(self, attribute: str) -> Mask | None:
        """(N, H, W) of the classes that an edit of the attribute may change; None where it has no region."""
        one = ATTRIBUTES_BY_NAME.get(attribute)
        if one is None or not one.region:
            return None
        if ("parser", attribute) not in self._masks:
            mask_N1HW = mask_of(self._looked("parser"), one.region)
            self._masks["parser", attribute] = dilated(mask_N1HW, one.grown)[:, 0].cpu().numpy()
        return self._masks["parser", attribute]

    def by_landmarks(self, attribute: str) -> Mask | None:
        """(N, H, W) of the hull of the attribute's landmarks; None where they do not show its region."""
        one = ATTRIBUTES_BY_NAME.get(attribute)
        if one is None or not one.points:
            return None
        if ("landmarks", attribute) not in self._masks:
            height, width = self._x_N3HW.shape[2:]
            its_NP2 = self._looked("landmarks")[:, list(one.points)].cpu().numpy()
            mask_NHW = np.zeros((len(its_NP2), height, width), dtype=bool)
            for row in np.flatnonzero(self._there_N):
                mask_NHW[row] = hull(its_NP2[row], height, width)
            grown = dilated(torch.from_numpy(mask_NHW)[:, None], one.grown)
            self._masks["landmarks", attribute] = grown[:, 0].numpy()
        return self._masks["landmarks", attribute]

    @torch.no_grad()
    def _looked(self, which: str) -> Tensor:
        if which not in self._seen:
            networks, x_N3HW = self._networks, self._x_N3HW
            self._seen[which] = networks.parser.masks(x_N3HW) if which == "parser" else networks.landmarks(x_N3HW)
        return self._seen[which]


def open_regions(judge: str, device: str | torch.device = "cpu") -> FaceRegions:
    """The networks that go with a family that judges: tiny ones beside a tiny family.

    Raises:
        ModelFileError: a network has not been pulled, or is damaged.
    """
    networks, is_tiny = Networks(device), judge in tiny.STANDS_IN
    landmarks = (tiny.TinyLandmarks if is_tiny else Landmarks)(networks).to(device).eval()
    return FaceRegions(parsing.load("tiny" if is_tiny else "faces", device), landmarks, dict(networks.digests))


def hull(points_P2: NDArray[np.floating], height: int, width: int) -> Mask:
    """(H, W): the smallest convex region with the pixels of all points, fractions of the picture; those beyond the
    picture count as at its border.
    """
    from skimage.morphology import convex_hull_image

    places_P2 = np.floor(points_P2 * (width, height)).astype(int).clip(0, (width - 1, height - 1))
    image = np.zeros((height, width), dtype=bool)
    image[places_P2[:, 1], places_P2[:, 0]] = True
    return np.asarray(convex_hull_image(image), dtype=bool)
