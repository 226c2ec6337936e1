"""The inverse Haar transform."""

import torch
from torch import Tensor


def haar_inverse(x: Tensor) -> Tensor:
    """(N, H, W, 4 C) -> (N, 2 H, 2 W, C): one step of the two-dimensional inverse transform, orthonormal.

    Args:
        x: the bands LL, LH, HL, HH, of C channels each; LH is the difference of an upper and a lower pixel, HL that of
            a left and a right one.
    """
    return haar_sums(x * 0.5)


def haar_sums(x: Tensor) -> Tensor:
    """`haar_inverse` of 2 x: the sums and differences alone. Where no gradients are recorded, `x` is overwritten.

    For a caller who multiplies the bands anyway: the factor 0.5 is exact, wherever it is applied.
    """
    N, H, W, C4 = x.shape
    shape = (N, 2 * H, 2 * W, C4 // 4)
    low, high = x.view(N, H, W, 2, 2, C4 // 4).unbind(dim=4)  # of the columns, each with a low and a high row
    if torch.is_grad_enabled() or torch.compiler.is_compiling():
        columns = torch.stack([low + high, low - high], dim=2)
        low, high = columns.unbind(dim=4)
        return torch.stack([low + high, low - high], dim=4).view(shape)
    rows = (low + high, torch.sub(low, high, out=high))
    out = x.new_empty(N, H, 2, W, 2, C4 // 4)
    for row, sums in enumerate(rows):
        left, right = sums.unbind(dim=3)
        torch.add(left, right, out=out[:, :, row, :, 0])
        torch.sub(left, right, out=out[:, :, row, :, 1])
    return out.view(shape)
