"""An edited face back into its photo: warped to where it was, under a soft mask, in the colours of the photo.

Shapes: H and W pixels of the photo, C channels, S pixels of the aligned pictures, B and V pixels of the box, F of a
field of colours. A quad has the corners of the aligned picture in the photo: upper left, lower left, lower right, upper
right, as (x, y) pixels where the middle of the first pixel is (0, 0). The alignment of FFHQ makes such a quad.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from torch import Tensor
from torch.nn import functional

from pipeline.errors import SpecError
from pipeline.photos.ffhq import side_of

DILATION, FEATHER, BORDER = 0.015, 0.015, 0.04
"""Of the side of the aligned picture: by how much a mask grows, how soft its edge is, and over how much it ends before
the border of the picture."""
SMOOTH = 0.08
"""Of that side: the standard deviation of the Gaussian by which the colours of two pictures are compared."""
FAR = 1e-3
"""The weight of its mean beside what is near by; 1 is that of a place in the middle of the mask."""
FIELD = 256
"""Pixels of the side at which the differences of colours are computed: they are smooth."""
AT_ONCE = 2_000_000
"""Pixels of the photo that are computed at a time: memory does not grow with the face."""


@dataclass(frozen=True, eq=False)
class Pasted:
    """What was changed: `rows` and `columns` of the photo, as slices; `shares_BV` of the edit in each pixel there."""

    rows: slice
    columns: slice
    shares_BV: NDArray[np.float32]  # noqa: N815


def paste(
    photo_HWC: NDArray[Any],
    quad_42: NDArray[np.float64],
    aligned_3SS: Tensor,
    inverted_3SS: Tensor,
    edited_3SS: Tensor,
    mask_SS: Tensor,
) -> Pasted:
    """Put an edited face into a photo, in place. No pixel outside the bounding box of the quad is touched, and none
    where the mask is 0.

    Args:
        photo_HWC: uint8 or uint16, writable, C of 1 or 3 colours; a grey photo takes the luma (Rec. 601) of the edit.
        quad_42: where the aligned picture lies in the photo.
        aligned_3SS: the aligned picture, float in [0, 1], in the photo's colour space.
        inverted_3SS: what the generator makes of it, unedited; its colours are off from those of the aligned picture,
            and the edit's by as much. inverted and edited may be of any size S of their own.
        edited_3SS: the edit.
        mask_SS: how much of the edit is taken, in [0, 1]: `face_mask`.

    Raises:
        SpecError: an array of another kind, or a quad that has no area or does not meet the photo.
    """
    _check(photo_HWC, quad_42)
    channels, largest = photo_HWC.shape[2], float(np.iinfo(photo_HWC.dtype).max)
    rows, columns = _box(photo_HWC.shape, quad_42)
    side = side_of(quad_42)
    pictures = (edited_3SS, aligned_3SS, inverted_3SS)
    edit_CSS, aligned_CSS, inverted_CSS = (_colours(picture, channels) for picture in pictures)
    offset_CFF = colours_off(aligned_CSS, inverted_CSS, mask_SS)
    edit_CSS = _shrunk(edit_CSS, side)
    shares_BV = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.float32)
    height = max(1, AT_ONCE // max(1, columns.stop - columns.start))
    for top in range(rows.start, rows.stop, height):
        strip = slice(top, min(top + height, rows.stop))
        grid = _grid(strip, columns, quad_42)
        share_1BV = functional.grid_sample(mask_SS[None, None].float(), grid, align_corners=False)[0]
        new_CBV = _sampled(edit_CSS, grid, "bicubic") + _sampled(offset_CFF, grid, "bilinear")
        old_CBV = torch.from_numpy(photo_HWC[strip, columns].astype(np.float32)).movedim(2, 0) / largest
        mixed_CBV = old_CBV + share_1BV * (new_CBV - old_CBV)
        written = (mixed_CBV.clamp(0, 1) * largest).round().movedim(0, 2).numpy().astype(photo_HWC.dtype)
        touched = share_1BV[0].numpy() > 0
        photo_HWC[strip, columns][touched] = written[touched]
        shares_BV[strip.start - rows.start : strip.stop - rows.start] = share_1BV[0].numpy()
    return Pasted(rows, columns, shares_BV)


def face_mask(faces_NSS: Tensor) -> Tensor:
    """How much of an edit is taken, (S, S) in [0, 1]: all of it where any of the pictures has a face; with a soft edge
    around that, and nothing at the border.

    faces_NSS: 1 or True where the face and its hair are, of the source and of the edit.
    """
    union_SS = faces_NSS.float().amax(dim=0)
    side = union_SS.shape[-1]
    radius = max(1, round(DILATION * side))
    grown = functional.max_pool2d(union_SS[None], 2 * radius + 1, stride=1, padding=radius)
    soft_SS = _blurred(grown, FEATHER * side)[0]
    at_S = (torch.arange(side) + 0.5) / side
    ramp_S = (torch.minimum(at_S, 1 - at_S) / BORDER).clamp(0, 1)
    ramp_S = ramp_S * ramp_S * (3 - 2 * ramp_S)
    return soft_SS * ramp_S[:, None] * ramp_S[None]


def colours_off(aligned_CSS: Tensor, inverted_CSS: Tensor, mask_SS: Tensor) -> Tensor:
    """How far the colours of a generator's picture are from those of the aligned one that it stands for, (C, F, F): the
    difference of both under the mask, smoothed with a Gaussian (normalised convolution), and its mean far from there.

    It is added to an edit, whose own changes are not part of it.
    """
    aligned, inverted, mask = (_resized(x, FIELD) for x in (aligned_CSS, inverted_CSS, mask_SS[None].float()))
    apart_CFF = (aligned - inverted) * mask
    mean_C11 = apart_CFF.sum(dim=(1, 2), keepdim=True) / mask.sum().clamp(min=FAR)
    spread = _blurred(torch.cat([apart_CFF, mask]), SMOOTH * FIELD)
    return (spread[:-1] + FAR * mean_C11) / (spread[-1:] + FAR)


def _check(photo_HWC: NDArray[Any], quad_42: NDArray[np.float64]) -> None:
    if photo_HWC.dtype not in (np.uint8, np.uint16) or photo_HWC.ndim != 3 or photo_HWC.shape[2] not in (1, 3):
        raise SpecError(
            f"a photo of {photo_HWC.dtype} {photo_HWC.shape}: give uint8 or uint16 of (height, width, 1 or 3)"
        )
    if quad_42.shape != (4, 2) or not np.isfinite(quad_42).all():
        raise SpecError(f"a quad of {quad_42.shape}: give four corners (x, y) of finite numbers")
    if abs(np.linalg.det(_sides(quad_42))) < 1:
        raise SpecError("a quad of less than a pixel: there is no face to paste")


def _sides(quad_42: NDArray[np.float64]) -> NDArray[np.float64]:
    """Its upper and left side as rows."""
    return np.stack([quad_42[3] - quad_42[0], quad_42[1] - quad_42[0]])


def _box(shape: tuple[int, ...], quad_42: NDArray[np.float64]) -> tuple[slice, slice]:
    """Rows and columns of the photo in which the quad lies. Raises SpecError where there are none."""
    low = np.maximum(np.floor(quad_42.min(axis=0)).astype(int), 0)
    high = np.minimum(np.ceil(quad_42.max(axis=0)).astype(int) + 1, (shape[1], shape[0]))
    if (high <= low).any():
        raise SpecError(f"a quad outside the photo of {shape[1]} x {shape[0]} pixels")
    return slice(int(low[1]), int(high[1])), slice(int(low[0]), int(high[0]))


def _grid(rows: slice, columns: slice, quad_42: NDArray[np.float64]) -> Tensor:
    """Of each pixel, its place in the aligned picture: (1, B, V, 2), -1 and 1 are the borders."""
    y, x = np.mgrid[rows, columns]
    from_corner = np.stack([x - quad_42[0, 0], y - quad_42[0, 1]], axis=-1)
    return torch.from_numpy((2 * (from_corner @ np.linalg.inv(_sides(quad_42))) - 1).astype(np.float32))[None]


def _sampled(picture_CSS: Tensor, grid: Tensor, mode: str) -> Tensor:
    """(C, B, V); outside, the border goes on."""
    return functional.grid_sample(picture_CSS[None], grid, mode, "border", align_corners=False)[0]


def _colours(picture_3SS: Tensor, channels: int) -> Tensor:
    """Float32 on the CPU, in as many channels as the photo has."""
    picture = picture_3SS.detach().to("cpu", torch.float32)
    if channels == 3:
        return picture
    return (picture * torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(dim=0, keepdim=True)


def _shrunk(picture_CSS: Tensor, side: float) -> Tensor:
    """At the size that it has in the photo where that is smaller, without aliasing."""
    pixels = math.ceil(side)
    return picture_CSS if pixels >= picture_CSS.shape[-1] else _resized(picture_CSS, pixels)


def _resized(picture_CSS: Tensor, side: int) -> Tensor:
    return functional.interpolate(picture_CSS[None], (side, side), mode="bilinear", antialias=True)[0]


def _blurred(picture_CSS: Tensor, sigma: float) -> Tensor:
    """By a Gaussian, in pixels; the border goes on."""
    return torch.from_numpy(gaussian_filter(picture_CSS.numpy(), (0, sigma, sigma), mode="nearest"))
