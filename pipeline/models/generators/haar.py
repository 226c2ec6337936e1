"""The inverse Haar transform."""

import torch
from torch import Tensor


def haar_inverse(x: Tensor) -> Tensor:
    """(N, H, W, 4 C) -> (N, 2 H, 2 W, C): one step of the two-dimensional inverse transform, orthonormal.

    Args:
        x: the bands LL, LH, HL, HH, of C channels each; LH is the difference of an upper and a lower pixel, HL that of
            a left and a right one.
    """
    N, H, W, C4 = x.shape
    low, high = (x * 0.5).view(N, H, W, 2, 2, C4 // 4).unbind(dim=4)  # of the columns, each with a low and a high row
    columns = torch.stack([low + high, low - high], dim=2)
    low, high = columns.unbind(dim=4)
    return torch.stack([low + high, low - high], dim=4).view(N, 2 * H, 2 * W, C4 // 4)
