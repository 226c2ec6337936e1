"""The inverse Haar transform, channels-last."""

import torch
from torch import Tensor


def haar_inverse(x: Tensor) -> Tensor:
    """(N, H, W, 4 C) -> (N, 2 H, 2 W, C).

    Args:
        x: the bands LL, LH, HL, HH, C channels each: low or high first down the columns, then along the rows. LH is
            the difference of the upper and the lower pixels, HL of the left and the right ones.
    """
    ll, lh, hl, hh = (x * 0.5).chunk(4, dim=-1)
    upper, lower = torch.stack([ll + lh, hl + hh]), torch.stack([ll - lh, hl - hh])
    rows = [torch.stack([low + high, low - high], dim=3) for low, high in (upper, lower)]
    return torch.stack(rows, dim=2).flatten(3, 4).flatten(1, 2)
