"""The region that an edit of an attribute may change, as masks of pictures.

Shapes: N rows, 19 classes of the face parser, H and W the picture's pixels.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from pipeline.directions.aliases import plain
from pipeline.errors import SpecError
from pipeline.models.classifiers.attributes import BY_NAME
from pipeline.models.classifiers.parser import CLASSES

REFERENCE_SIZE = 512
"""Pixels of a side of the picture in which a dilation is counted."""


def region_of(attribute: str, asked: Sequence[str] = ()) -> tuple[str, ...]:
    """The classes of the face parser that an edit of an attribute may change: those that are asked for, or its own.

    Raises:
        SpecError: a class is unknown, or the attribute has no region and none is asked for.
    """
    if unknown := [name for name in asked if name not in CLASSES]:
        raise SpecError(f"the face parser has no class {unknown[0]!r}: its classes are {', '.join(CLASSES)}")
    if asked:
        return tuple(asked)
    known = BY_NAME.get(plain(attribute))
    region: tuple[str, ...] = getattr(known, "region", ())
    if not region:
        what = "may change the whole picture" if known else "is not an attribute that the classifiers know"
        raise SpecError(f"{attribute} {what}, so it has no region to stay within: name its classes with --region")
    return region


def mask_of(masks_N19HW: Tensor, region: Sequence[str]) -> Tensor:
    """m_c, (N, 1, H, W) bool: where one of these classes is the most probable one."""
    wanted = torch.tensor([CLASSES.index(name) for name in region], device=masks_N19HW.device)
    return torch.isin(masks_N19HW.argmax(dim=1, keepdim=True), wanted)


def dilated(mask_N1HW: Tensor, pixels: int) -> Tensor:
    """The mask grown by a square of so many pixels to each side, counted in a picture of 512 px."""
    radius = round(pixels * mask_N1HW.shape[-1] / REFERENCE_SIZE)
    if radius == 0:
        return mask_N1HW
    return max_pool2d(mask_N1HW.float(), 2 * radius + 1, stride=1, padding=radius) > 0
