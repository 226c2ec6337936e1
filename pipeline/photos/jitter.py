"""Pictures as alignment and files make them of photos: moved a little, blurred, saved as JPEG, by a row's own words.

Shapes: H and W pixels.
"""

import io
import math

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from pipeline.models.faces import to_pixels
from pipeline.models.randomness import raw_words, standard_normal

SHIFT, SCALE, DEGREES = 0.005, 0.01, 0.75
"""Standard deviations: of the place, as a share of the picture's side, of the scale, and of the angle."""
SMALLEST = 0.4
"""The least size to which a picture is brought and back, as a share of its side: that blurs it."""
QUALITY = (50, 95)
"""Of JPEG."""
MOVES, CHOICES = 1, 2
"""Streams of a row's words."""


def jittered(x_3HW: Tensor, seed: int, index: int) -> Tensor:
    """A picture (3, H, W) in [-1, 1] as a photo's would be; it depends on the picture, seed and index alone."""
    across, down, scale, angle = standard_normal(seed, [index], 4, MOVES)[0].tolist()
    blur, quality = _uniform(seed, index, 2)
    moved_3HW = _moved(x_3HW, SHIFT * across, SHIFT * down, 1 + SCALE * scale, math.radians(DEGREES * angle))
    pixels_HW3 = to_pixels(moved_3HW[None])[0]
    saved = _saved(pixels_HW3, 1 - (1 - SMALLEST) * blur, round(QUALITY[0] + (QUALITY[1] - QUALITY[0]) * quality))
    return (torch.from_numpy(saved).permute(2, 0, 1).float() / 127.5 - 1).to(x_3HW.device)


def _uniform(seed: int, index: int, count: int) -> list[float]:
    """In [0, 1)."""
    found: list[float] = ((raw_words(seed, index, count, CHOICES) >> np.uint64(11)) * 2.0**-53).tolist()
    return found


def _moved(x_3HW: Tensor, across: float, down: float, scale: float, angle: float) -> Tensor:
    """Moved by shares of its side, scaled and turned (radians) around its middle; beyond its border it is reflected."""
    cos, sin = math.cos(angle) / scale, math.sin(angle) / scale
    matrix_123 = torch.tensor([[[cos, -sin, -2 * across], [sin, cos, -2 * down]]], device=x_3HW.device)
    grid = affine_grid(matrix_123, [1, *x_3HW.shape], align_corners=False)
    return grid_sample(x_3HW[None].float(), grid, mode="bilinear", padding_mode="reflection", align_corners=False)[0]


def _saved(pixels_HW3: NDArray[np.uint8], share: float, quality: int) -> NDArray[np.uint8]:
    """Brought to a smaller size and back, then to JPEG and back."""
    image = Image.fromarray(pixels_HW3)
    smaller = (max(1, round(image.width * share)), max(1, round(image.height * share)))
    image = image.resize(smaller, Image.Resampling.BICUBIC).resize(image.size, Image.Resampling.BICUBIC)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return np.array(Image.open(file).convert("RGB"))
