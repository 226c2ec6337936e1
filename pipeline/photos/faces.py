"""The faces of a photo: boxes by the detector, 68 points by the landmarks, upright, none twice.

Shapes: N faces, P = 68 points.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from pipeline.models.classifiers import landmarks
from pipeline.models.classifiers.landmarks import CROP, Landmarks
from pipeline.models.classifiers.networks import Networks
from pipeline.photos import ffhq
from pipeline.photos.detect import HEIGHT, LEAST_SCORE, Boxes, Detector
from pipeline.photos.frame import Frame, as_tensor

VERSION = 2
"""Raised by hand when equal photos give other faces."""
LOOKS = 3
"""So often the points are looked for: in the detector's box, then in the square that the points before gave."""
LOOKED_AT = HEIGHT
"""A side of the square in which the detector looks for the face again."""
SEEN_PIXELS = 128
"""A side of the square that the landmarks are given, of which they see a box."""
SQUARE_TO_BOX = (0.5, 4.0)
"""The least and the largest side of a face's square in longer sides of its box; usual is 1.2."""
PROFILE = 90.0
"""Degrees of yaw of a face seen from its side."""
SAME_FACE = 0.25
"""Squares whose centres are nearer than so much of the smaller side are of one face."""


@dataclass(frozen=True, eq=False)
class Face:
    """box: left, top, right, bottom, (4,), in pixels, pixel i covering [i, i + 1]. score: 0 to 1, the detector's of
    the upright square.

    points, (P, 2), and quad_42: in pixels of the photo, whose centres are at i (pipeline.photos.ffhq).
    yaw_degrees: positive where the face turns to the right of the picture, by its points.
    """

    box: NDArray[np.float64]
    score: float
    points: NDArray[np.float64]
    quad_42: NDArray[np.float64]
    yaw_degrees: float

    @property
    def side(self) -> float:
        """Of the square, in pixels of the photo."""
        return ffhq.side_of(self.quad_42)


class Detects(Protocol):
    """Boxes (N, 4) of a picture and their scores (N,), the surest first; and how sure it is of an aligned picture that
    it shows a face, 0 to 1.
    """

    def __call__(self, image: Image.Image) -> tuple[Boxes, NDArray[np.float64]]: ...

    def sure(self, square: Image.Image) -> float: ...


Points = Callable[[Tensor], Tensor]
"""(1, 3, H, W) in [-1, 1] -> (1, 68, 2), fractions of the picture."""


class FaceFinder:
    """Finds faces in photos. fingerprint: of the networks, and of the version of this code."""

    def __init__(self, detect: Detects, points: Points, digests: dict[str, str], device: torch.device) -> None:
        self._detect, self._points, self._device = detect, points, device
        self.fingerprint = "+".join([*(digests[name] for name in sorted(digests)), str(VERSION)])

    def __call__(self, photo_HW3: NDArray[np.uint8]) -> list[Face]:
        """The faces, the largest first."""
        image = Image.fromarray(photo_HW3)
        boxes, _ = self._detect(image)
        found = [self._face(image, box) for box in boxes]
        kept: list[Face] = []
        for face in sorted(filter(None, found), key=lambda face: -face.score):
            if not any(_same(face, other) for other in kept):
                kept.append(face)
        return sorted(kept, key=lambda face: (-face.side, *face.box.tolist()))

    @torch.no_grad()
    def _face(self, image: Image.Image, box: NDArray[np.float64]) -> Face | None:
        """None where the points do not fit the box, or the detector sees no face in their square."""
        frame, longer = _around(box), max(box[2] - box[0], box[3] - box[1])
        for _ in range(LOOKS):
            places_P2 = self._points(as_tensor(frame.picture(image, SEEN_PIXELS)).to(self._device))
            points_P2 = frame.to_photo(places_P2[0].double().cpu().numpy())
            quad_42 = ffhq.quad_of(points_P2)
            if not SQUARE_TO_BOX[0] <= ffhq.side_of(quad_42) / longer <= SQUARE_TO_BOX[1]:
                return None
            frame = Frame.of_quad(quad_42)
        yaw = float(landmarks.yaw(places_P2.double().cpu())[0])
        if not np.isfinite(yaw):  # the ends of the jaw coincide
            yaw = PROFILE
        score = self._detect.sure(frame.picture(image, LOOKED_AT))
        return Face(box, score, points_P2, quad_42, yaw) if score >= LEAST_SCORE else None


def _around(box: NDArray[np.float64]) -> Frame:
    """The frame of which the landmarks see this very box."""
    left, top, right, bottom = box
    across, down = (right - left) / (CROP.right - CROP.left), (bottom - top) / (CROP.bottom - CROP.top)
    x, y = left - CROP.left * across, top - CROP.top * down
    return Frame.of_box(x, y, x + across, y + down)


def _same(one: Face, other: Face) -> bool:
    apart = np.hypot(*(one.quad_42.mean(0) - other.quad_42.mean(0)))
    return bool(apart < SAME_FACE * min(one.side, other.side))


def load(name: str = "fr", device: str = "cpu") -> FaceFinder:
    """The finder of that name: `fr`, by fr-detect and fr-landmark; `tiny`, for tests, which knows no real face.

    Raises:
        ModelFileError: a network has not been pulled.
    """
    networks = Networks(device)
    if name == "tiny":
        from pipeline.photos import tiny

        return FaceFinder(tiny.Discs(), tiny.points, {"tiny": tiny.DIGEST}, networks.device)
    return FaceFinder(Detector(networks), Landmarks(networks).to(networks.device), networks.digests, networks.device)
