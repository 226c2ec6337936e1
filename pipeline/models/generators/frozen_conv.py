"""Convolutions with frozen weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import conv2d, conv_transpose2d


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


class _FrozenUpConv(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(weight)
        y = conv_transpose2d(x, weight.transpose(0, 1), stride=2)
        return conv2d(y, blur_taps(y), padding=1, groups=y.shape[1])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (weight,) = ctx.saved_tensors
        y = conv2d(gradients[0], blur_taps(gradients[0]), padding=2, groups=gradients[0].shape[1])
        return conv2d(y, weight.transpose(0, 1), stride=2), None


def frozen_up_conv(x: Tensor, weight: Tensor) -> Tensor:
    """Transposed convolution of stride 2, then the filter 1, 3, 3, 1: twice the size. The gradient goes to x alone.

    Args:
        x: (N, C, H, W).
        weight: (D, C, 3, 3).
    """
    out: Tensor = _FrozenUpConv.apply(x, weight)
    return out


def blur_taps(x: Tensor) -> Tensor:
    """The filter 1, 3, 3, 1 of up-sampling for each channel of x: (C, 1, 4, 4), of sum 4."""
    taps = x.new_tensor([0.25, 0.75, 0.75, 0.25])
    return torch.outer(taps, taps).expand(x.shape[1], 1, 4, 4)
