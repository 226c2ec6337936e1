"""A convolution with frozen weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import conv2d


class _FrozenConv(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, groups: int) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.groups = groups
        return conv2d(x, weight, bias, padding=weight.shape[-1] // 2, groups=groups)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        (weight,) = ctx.saved_tensors
        adjoint = weight.flip(2, 3) if ctx.groups > 1 else weight.flip(2, 3).transpose(0, 1)
        return conv2d(gradients[0], adjoint, padding=weight.shape[-1] // 2, groups=ctx.groups), None, None, None


def frozen_conv(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Convolution of odd size and stride 1, padded to the size of its input, whose gradient goes to x alone.

    Args:
        x: (N, C, H, W).
        weight: (D, C, k, k); (C, 1, k, k) for a depthwise convolution; (D, C) for one of 1x1.
        bias: (D,).

    PyTorch's own keeps x for the weight's gradient: without it, a forward pass that waits for its backward takes half
    the memory.
    """
    weight = weight[:, :, None, None] if weight.dim() == 2 else weight
    groups = x.shape[1] // weight.shape[1]
    out: Tensor = _FrozenConv.apply(x, weight, bias, groups)
    return out
