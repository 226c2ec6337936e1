"""StyleGAN2's modulated convolution with all that follows it, in bands of rows of the picture.

The temporaries of a band stay in the processor's cache, so that large features pass through memory once. The backward
pass is written out: between the passes only the input and the result of a layer are kept, and the result is the next
layer's input.

Shapes: N rows, C channels in, D channels out; a picture of h x w becomes one of H x W, which is as large or twice that.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from pipeline.models.generators.mapping import LEAK

BAND = 2**20
"""Numbers of a band's largest temporary: 4 MB of float32."""


class Fixed(NamedTuple):
    """What does not depend on the latents: no gradient goes to it.

    Attributes:
        weight: (D, C, 3, 3).
        noise: (H, W), or of shape ().
        bias: (D,).
        up: whether the result is twice as large: a transposed convolution of stride 2, then the filter 1, 3, 3, 1.
        bound: of the result's absolute values, if there is one.
    """

    weight: Tensor
    noise: Tensor
    bias: Tensor
    up: bool
    bound: float | None


def modulated_conv(x_NChw: Tensor, s_NC: Tensor, scale_ND: Tensor, fixed: Fixed) -> Tensor:
    """y (N, D, H, W): leaky ReLU of scale * convolution(s * x) + noise + bias, bounded.

    Differentiable once with respect to x, s and scale; scale is not 0.
    """
    if torch.compiler.is_compiling():  # the compiler makes loops of its own
        return _whole(x_NChw, s_NC, scale_ND, fixed)
    y_NDHW: Tensor = _ModulatedConv.apply(x_NChw, s_NC, scale_ND, fixed)
    return y_NDHW


def _whole(x_NChw: Tensor, s_NC: Tensor, scale_ND: Tensor, fixed: Fixed) -> Tensor:
    y = _convolved(functional.pad(x_NChw * _wide(s_NC, x_NChw), (0, 0, 1, 1)), fixed)
    y = torch.addcmul(fixed.noise, y, _wide(scale_ND, y)) + fixed.bias[:, None, None]
    y = functional.leaky_relu(y, LEAK)
    return y if fixed.bound is None else y.clamp(-fixed.bound, fixed.bound)


class _ModulatedConv(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, s_NC: Tensor, scale_ND: Tensor, fixed: Fixed) -> Tensor:
        s, scale, bias = _wide(s_NC, x), _wide(scale_ND, x), fixed.bias[:, None, None]
        factor = 2 if fixed.up else 1
        shape = (len(x), len(fixed.weight), factor * x.shape[2], factor * x.shape[3])
        y = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
        for first, last in _bands(x, y):
            convolved = _convolved(_rows(x, first - 1, last + 1, s), fixed)
            there = slice(factor * first, factor * last)
            band = y[:, :, there]
            torch.addcmul(fixed.noise[there] if fixed.noise.dim() else fixed.noise, convolved, scale, out=band)
            functional.leaky_relu_(band.add_(bias), LEAK)
            if fixed.bound is not None:
                band.clamp_(-fixed.bound, fixed.bound)
        ctx.fixed = fixed
        ctx.save_for_backward(x, s_NC, scale_ND, y)
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, Tensor, Tensor, None]:
        fixed: Fixed = ctx.fixed
        x, s_NC, scale_ND, y = ctx.saved_tensors
        s, scale, factor = _wide(s_NC, x), _wide(scale_ND, x), y.shape[2] // x.shape[2]
        g_x = torch.empty_like(x, memory_format=torch.channels_last) if ctx.needs_input_grad[0] else None
        g_s, g_scale = torch.zeros_like(s_NC), torch.zeros_like(scale_ND)
        for first, last in _bands(x, y):
            begin, end = factor * (first - 1), factor * (last + 1)
            g_band, y_band = _rows(g, begin, end), _rows(y, begin, end)
            if fixed.bound is not None:
                g_band = g_band * (y_band.abs() < fixed.bound)
            g_before = torch.ops.aten.leaky_relu_backward(g_band, y_band, LEAK, True)
            own = slice(factor, -factor)
            # The value before the leaky ReLU, times its gradient, is the value behind it, times its own.
            g_scale += (g_band[:, :, own] * y_band[:, :, own]).sum(dim=(2, 3), dtype=g_scale.dtype)
            g_scale -= _sums_of_added(g_before[:, :, own], fixed, factor * first)
            g_convolved = _adjoint(g_before.mul_(scale), fixed)
            g_s += (g_convolved * x[:, :, first:last]).sum(dim=(2, 3), dtype=g_s.dtype)
            if g_x is not None:
                torch.mul(g_convolved, s, out=g_x[:, :, first:last])
        return g_x, g_s, g_scale / scale_ND, None


def _sums_of_added(g_NDhw: Tensor, fixed: Fixed, first: int) -> Tensor:
    """(N, D): noise and bias of the rows from `first` on, times g, summed over the picture. In float32 or more."""
    noise = fixed.noise[first : first + g_NDhw.shape[2]] if fixed.noise.dim() else fixed.noise
    noise_P = noise.expand(g_NDhw.shape[2:]).flatten()
    both_2P = torch.stack([noise_P, torch.ones_like(noise_P)])
    g_NPD = g_NDhw.permute(0, 2, 3, 1).flatten(1, 2)
    precise = torch.promote_types(g_NDhw.dtype, torch.float32)
    by_noise_ND, summed_ND = torch.matmul(both_2P.to(precise), g_NPD.to(precise)).unbind(1)
    return by_noise_ND + summed_ND * fixed.bias


def _bands(x: Tensor, y: Tensor) -> Iterator[tuple[int, int]]:
    """First row of x, and the row behind the last, of each band."""
    rows = x.shape[2]
    widest = max(x[:, :, 0].numel(), y[:, :, 0].numel() * (y.shape[2] // rows))
    step = rows if x.is_cuda else min(rows, max(1, BAND // widest))
    for first in range(0, rows, step):
        yield first, min(first + step, rows)


def _rows(x: Tensor, first: int, last: int, factor: Tensor | None = None) -> Tensor:
    """Rows first, ..., last - 1 of a picture, zeros where it has none, times a factor."""
    inside = slice(max(first, 0), min(last, x.shape[2]))
    if factor is None and (inside.start, inside.stop) == (first, last):
        return x[:, :, inside]
    band = torch.empty(
        (*x.shape[:2], last - first, x.shape[3]), dtype=x.dtype, device=x.device, memory_format=torch.channels_last
    )
    band[:, :, : inside.start - first] = 0
    band[:, :, inside.stop - first :] = 0
    target = band[:, :, inside.start - first : inside.stop - first]
    if factor is None:
        target.copy_(x[:, :, inside])
    else:
        torch.mul(x[:, :, inside], factor, out=target)
    return band


def _convolved(x: Tensor, fixed: Fixed) -> Tensor:
    """Of rows with one more above and one below, without these; with `up` twice as many."""
    if not fixed.up:
        return functional.conv2d(x, fixed.weight, padding=(0, 1))
    y = functional.conv_transpose2d(x, fixed.weight.transpose(0, 1), stride=2, padding=(1, 0))
    return functional.conv2d(y, blur_taps(y), padding=(0, 1), groups=y.shape[1])


def _adjoint(g: Tensor, fixed: Fixed) -> Tensor:
    """The adjoint of `_convolved`, of rows with as many more above and below as the picture is larger than x."""
    if not fixed.up:
        return functional.conv_transpose2d(g, fixed.weight, padding=(2, 1))
    y = functional.conv2d(g, blur_taps(g), padding=(0, 2), groups=g.shape[1])
    return functional.conv2d(y, fixed.weight.transpose(0, 1), stride=2)


def blur_taps(x: Tensor) -> Tensor:
    """The filter 1, 3, 3, 1 of up-sampling for each channel of x: (C, 1, 4, 4), of sum 4."""
    taps = x.new_tensor([0.25, 0.75, 0.75, 0.25])
    return torch.outer(taps, taps).expand(x.shape[1], 1, 4, 4)


def _wide(values_NC: Tensor, x: Tensor) -> Tensor:
    return values_NC[:, :, None, None].to(x.dtype)
