"""Fixed crops of FFHQ-aligned pictures, resized with antialiasing: the input of each network.

A resize is a linear map along each axis, so a crop is small matrix products: differentiable, compilable, and the same
for every row. A new pixel depends on only a few old ones, so the matrix is applied in groups of new pixels, each to the
old pixels that it needs. Pictures are aligned (the eyes are where FFHQ puts them), so one box per network serves all.

Shapes: N rows, C channels, H and W the picture's pixels, h and w the crop's, g new pixels of a group, G old ones,
s new pixels of an axis, T old ones that may count for one of them.
"""

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor, nn

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
LUMA = (0.299, 0.587, 0.114)
GROUP = 32
"""New pixels that are made together. A smaller group needs fewer multiplications, but its matrices are slower."""


@dataclass(frozen=True)
class Crop:
    """A box of the picture, resampled to `height` x `width` pixels.

    left, top, right, bottom: edges as fractions of the picture. A new pixel partly beyond it uses only the pixels
    inside; one wholly beyond it repeats the border.
    """

    left: float
    top: float
    right: float
    bottom: float
    height: int
    width: int

    @classmethod
    def square(cls, x: float, y: float, side: float, pixels: int) -> "Crop":
        """A square box around (x, y), all in fractions of the picture, resampled to `pixels` x `pixels`."""
        return cls(x - side / 2, y - side / 2, x + side / 2, y + side / 2, pixels, pixels)

    def __call__(self, x_NCHW: Tensor) -> Tensor:
        """The box of each row: (N, C, H, W) -> (N, C, height, width), in the picture's own range."""
        height, width = x_NCHW.shape[2:]
        about = (x_NCHW.device, x_NCHW.dtype)
        rows = grouped(height, self.top, self.bottom, self.height, *about)
        columns = grouped(width, self.left, self.right, self.width, *about)
        first, last = min(group[0] for group in rows), max(group[1] for group in rows)
        x_NCHW = x_NCHW[:, :, first:last]
        narrow_NCHw = torch.cat([x_NCHW[..., start:stop] @ part_gG.T for start, stop, part_gG in columns], dim=3)
        made = [part_gG @ narrow_NCHw[:, :, start - first : stop - first] for start, stop, part_gG in rows]
        return torch.cat(made, dim=2)


@lru_cache(maxsize=256)
def grouped(
    length: int, start: float, stop: float, size: int, device: torch.device, dtype: torch.dtype
) -> list[tuple[int, int, Tensor]]:
    """The matrix of `resampling` in parts of GROUP rows: first pixel, end pixel, and the part (g, end - first)."""
    first, _, matrix = resampling(length, start, stop, size, device, dtype)
    parts = []
    for at in range(0, size, GROUP):
        rows_gG = matrix[at : at + GROUP]
        used = rows_gG.sum(0).nonzero()
        begin, end = int(used.min()), int(used.max()) + 1
        parts.append((first + begin, first + end, rows_gG[:, begin:end].contiguous()))
    return parts


@lru_cache(maxsize=256)
def resampling(
    length: int, start: float, stop: float, size: int, device: torch.device, dtype: torch.dtype
) -> tuple[int, int, Tensor]:
    """First pixel, end pixel, and the matrix (size, end - first) that resamples [start, stop] to `size` pixels.

    Bilinear with antialiasing: each new pixel is a weighted mean of old ones; the weights are a triangle around its
    centre that falls to 0 at a distance of one new or one old pixel, whichever is larger. Where
    the interval is the whole axis this is `torch.nn.functional.interpolate(mode="bilinear", antialias=True)`.

    length: pixels of the axis. start, stop: fractions of it.
    """
    ratio = (stop - start) * length / size
    width = max(ratio, 1.0)
    centres_s1 = (start * length + (torch.arange(size, dtype=torch.float64) + 0.5) * ratio)[:, None]
    reach = int(width) + 1
    taps_sT = centres_s1.floor() + torch.arange(-reach, reach + 1, dtype=torch.float64)
    weights_sT = (1 - (taps_sT + 0.5 - centres_s1).abs() / width).clamp(min=0)
    inside_sT = torch.where((taps_sT >= 0) & (taps_sT < length), weights_sT, 0.0)
    seen_s1 = inside_sT.sum(1, keepdim=True) > 0  # else the pixel lies wholly beyond the border, which it repeats
    matrix = torch.zeros(size, length, dtype=torch.float64)
    matrix.scatter_add_(1, taps_sT.clamp(0, length - 1).long(), torch.where(seen_s1, inside_sT, weights_sT))
    matrix /= matrix.sum(1, keepdim=True)
    used = matrix.sum(0).nonzero()
    first, last = int(used.min()), int(used.max()) + 1
    return first, last, matrix[:, first:last].to(device, dtype)


class Pixels(nn.Module):
    """From a crop in [-1, 1] to what a network was trained on: (v - mean) / std, where v is the pixel in [0, 1].

    mean, std: one value, or one for each channel; `std=1/255` gives 0..255.
    order: "rgb", "bgr" or "grey" (one channel, BT.601 luma).
    """

    scale: Tensor
    shift: Tensor

    def __init__(self, mean: tuple[float, ...] = (0.0,), std: tuple[float, ...] = (1.0,), order: str = "rgb") -> None:
        super().__init__()
        self.order = order
        mean_C, std_C = (torch.tensor(values, dtype=torch.float64) for values in (mean, std))
        self.register_buffer("scale", (0.5 / std_C).float().view(1, -1, 1, 1), persistent=False)
        self.register_buffer("shift", ((0.5 - mean_C) / std_C).float().view(1, -1, 1, 1), persistent=False)

    def forward(self, x_N3HW: Tensor) -> Tensor:
        """(N, 3, h, w) in [-1, 1] -> (N, 3 or 1, h, w) as the network wants it."""
        if self.order == "bgr":
            x_N3HW = x_N3HW.flip(1)
        elif self.order == "grey":
            red, green, blue = (weight * x_N3HW[:, i : i + 1] for i, weight in enumerate(LUMA))
            x_N3HW = red + green + blue
        return x_N3HW * self.scale + self.shift
