"""Which faces are good enough to be kept, and why the others are not.

Shapes: P = 68 points.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.ndimage import laplace

from pipeline.photos.faces import Face
from pipeline.photos.frame import Frame

SMALL, UNSURE, TURNED, BLURRED, CUT = "too small", "unsure", "turned away", "blurred", "cut by the border"
NOT_AMONG = "not among the largest"
SHARPNESS_PIXELS = 128
FACE_PART = slice(24, 104), slice(32, 96)
"""Rows and columns of that square: the face without what is around it."""


@dataclass(frozen=True)
class Quality:
    """sharpness: the variance of the Laplacian of the face in grey, 0 to 255, its square reduced to 128 pixels a side.
    inside: the share of the points that lie within the photo.
    """

    sharpness: float
    inside: float


@dataclass(frozen=True)
class Gate:
    """The least side of a face's square in pixels, score of the detector, sharpness and share of points within the
    photo; and the largest yaw, in degrees to either side.
    """

    min_size: float = 128.0
    min_score: float = 0.7
    min_sharpness: float = 20.0
    max_yaw: float = 60.0
    min_inside: float = 0.9

    def why_not(self, face: Face, quality: Quality) -> str:
        """The reason for which a face is left out, one of the constants above; empty for a good one."""
        checks = {
            UNSURE: face.score < self.min_score,
            SMALL: face.side < self.min_size,
            CUT: quality.inside < self.min_inside,
            TURNED: abs(face.yaw_degrees) > self.max_yaw,
            BLURRED: quality.sharpness < self.min_sharpness,
        }
        return next((reason for reason, bad in checks.items() if bad), "")

    def chosen(self, faces: list[tuple[Face, Quality]], most: int | None) -> list[str]:
        """Of each face, the largest first, the reason for which it is left out; at most `most` are kept."""
        reasons, kept = list[str](), 0
        for face, quality in faces:
            reason = self.why_not(face, quality)
            if not reason and most is not None and kept == most:
                reason = NOT_AMONG
            kept += not reason
            reasons.append(reason)
        return reasons


def quality_of(image: Image.Image, face: Face) -> Quality:
    """What the gate looks at, of one face of an RGB photo."""
    grey = np.asarray(Frame.of_quad(face.quad_42).picture(image, SHARPNESS_PIXELS).convert("L"), dtype=np.float32)
    places = face.points + 0.5
    inside = ((places >= 0) & (places <= np.array(image.size))).all(axis=1)
    return Quality(float(laplace(grey)[FACE_PART].var()), float(inside.mean()))
