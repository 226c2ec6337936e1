"""A frame: a parallelogram of a photo that a network looks at as if it were the whole picture.

Shapes: N points.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

MARGIN = 4
"""Pixels around the frame that sampling may touch."""


@dataclass(frozen=True, eq=False)
class Frame:
    """corner: its top left; across, down: its sides; all (2,), x before y, where pixel i covers [i, i + 1]."""

    corner: NDArray[np.float64]
    across: NDArray[np.float64]
    down: NDArray[np.float64]

    @classmethod
    def of_quad(cls, quad_42: NDArray[np.float64]) -> "Frame":
        """Of a quad of `ffhq`, whose pixel i has its centre at i."""
        corner = quad_42[0] + 0.5
        return cls(corner, quad_42[3] - quad_42[0], quad_42[1] - quad_42[0])

    @classmethod
    def of_box(cls, left: float, top: float, right: float, bottom: float) -> "Frame":
        """Of a box, upright in the photo."""
        return cls(np.array([left, top]), np.array([right - left, 0.0]), np.array([0.0, bottom - top]))

    def to_photo(self, places_N2: NDArray[np.floating]) -> NDArray[np.float64]:
        """Places given as fractions of the frame, in the photo, where pixel i has its centre at i."""
        return self.corner - 0.5 + places_N2[:, :1] * self.across + places_N2[:, 1:] * self.down

    def picture(self, image: Image.Image, size: int) -> Image.Image:
        """What it shows, at `size` pixels a side, antialiased; black beyond the photo."""
        corners = np.stack([self.corner, self.corner + self.down, self.corner + self.across + self.down,
                            self.corner + self.across])  # fmt: skip
        low = np.floor(corners.min(0)).astype(int)
        high = np.ceil(corners.max(0)).astype(int)
        longest = max(np.hypot(*self.across), np.hypot(*self.down))
        factor = max(1, int(longest / (2 * size)))
        low, high = low - MARGIN * factor, high + MARGIN * factor
        part = image.crop((*low.tolist(), *high.tolist()))
        if factor > 1:
            part = part.reduce(factor)
        places = ((corners - low) / factor).ravel().tolist()
        twice = part.transform((2 * size, 2 * size), Image.Transform.QUAD, places, Image.Resampling.BILINEAR)
        return twice.reduce(2)


def as_tensor(image: Image.Image) -> Tensor:
    """(1, 3, H, W) in [-1, 1]."""
    pixels = torch.from_numpy(np.array(image, dtype=np.float32))
    return (pixels / 127.5 - 1).permute(2, 0, 1)[None].contiguous()
