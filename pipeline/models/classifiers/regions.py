"""A region of a picture as a mask, from the face parser's classes.

Shapes: N rows, 19 classes of the face parser, H and W the picture's pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from pipeline.models.classifiers.parser import CLASSES

REFERENCE_SIZE = 512
"""Pixels of a side of the picture in which a dilation is counted."""
DILATION = 16
"""By which a region is grown where nothing else is asked for."""


def mask_of(masks_N19HW: Tensor, region: Sequence[str]) -> Tensor:
    """m_c, (N, 1, H, W) bool: where one of these classes is the most probable one."""
    wanted = torch.tensor([CLASSES.index(name) for name in region], device=masks_N19HW.device)
    return torch.isin(masks_N19HW.argmax(dim=1, keepdim=True), wanted)


def dilated(mask_N1HW: Tensor, pixels: int) -> Tensor:
    """The mask grown by a square of so many pixels to each side, counted in a picture of 512 px."""
    radius = round(pixels * mask_N1HW.shape[-1] / REFERENCE_SIZE)
    if radius == 0:
        return mask_N1HW
    side = 2 * radius + 1
    rows = max_pool2d(mask_N1HW.float(), (side, 1), stride=1, padding=(radius, 0))
    return max_pool2d(rows, (1, side), stride=1, padding=(0, radius)) > 0
