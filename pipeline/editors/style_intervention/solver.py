"""The coefficients of an intervention, solved for layer by layer from coarse to fine (Style Intervention, Sec. 3.2).

While the coefficients of layer i are solved for, those of the others are fixed: the features before layer i are
computed once, and only the layers from i on are run, forwards and backwards. The last pass of a layer serves as the
first one of the next layer, whose gradient comes with it.

Shapes: N rows, S style channels, C channels of one layer, T layers that were solved for, 3HW pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import Any

import torch
from torch import Tensor

from pipeline.editors.style_intervention.losses import (
    AttributeLoss,
    PixelLoss,
    attribute_loss,
    merged,
    norm_loss,
    objective,
    pixel_loss,
    progress_loss,
)
from pipeline.models.generators import Generator

START = 0.5
"""The first value of every coefficient."""


@dataclass(frozen=True)
class Settings:
    """steps: of Adam, at most, for each layer. step_size: Adam's. tolerance: a layer stops when its loss falls by less
    than this share of it. at_once: all layers together, the ablation. pixels, attribute, lambda_attr, lambda_norm: of
    the objective (Eq. 11).
    """

    steps: int = 6
    step_size: float = 0.2
    tolerance: float = 1e-3
    at_once: bool = False
    pixels: PixelLoss = "mean"
    attribute: AttributeLoss = "progress"
    lambda_attr: float = 1e-2
    lambda_norm: float = 1e-6


@dataclass(frozen=True, eq=False)
class Problem:
    """Rows to solve for. s, by_z, by_n: (N, S), the sources and the two displacements. spread: (S,), the standard
    deviation of each channel. source: (N, 3, H, W) pictures of the sources in [-1, 1]. outside: (N, 1, H, W), 1 outside
    the mask, else 0. going: rows that are solved for, None for all; the others are padding, for which no step is taken.
    """

    s: Tensor
    by_z: Tensor
    by_n: Tensor
    spread: Tensor
    source: Tensor
    outside: Tensor
    going: tuple[bool, ...] | None = None


@dataclass(frozen=True, eq=False)
class Solution:
    """coefficients: (N, S) in [0, 1]. errors: (N, T + 1), the pixel loss at the start and after each layer (Fig. 6b).
    A row that is not finite has errors that are not.
    """

    coefficients: Tensor
    errors: Tensor


@dataclass
class _Best:
    """Of each row the coefficients of the lowest loss so far, (N, C), its loss and its pixel loss, (N,)."""

    own: Tensor
    loss: Tensor
    pixel: Tensor


@dataclass(frozen=True, eq=False)
class _Pass:
    """Of each row the loss and the pixel loss, (N,), and the gradient of the loss in some coefficients, (N, C)."""

    loss: Tensor
    pixel: Tensor
    gradient: Tensor


def solve(generator: Generator, problem: Problem, settings: Settings) -> Solution:
    """Minimise Eq. 11. Rows do not depend on each other."""
    widths = [layer.width for layer in generator.style_layers]
    layers, stops = len(widths), [0, *accumulate(widths)]
    groups = [(0, layers)] if settings.at_once else list(pairwise(range(layers + 1)))
    coefficients_NS = torch.full_like(problem.s, START)
    errors: list[Tensor] = []
    state = generator.start(len(problem.s))
    begun: _Pass | None = None
    for first, last in groups:
        channels = slice(stops[first], stops[last])
        following = slice(stops[last], stops[min(last + 1, layers)])
        start_N, best, begun = _solve_layers(
            generator, problem, settings, coefficients_NS, state, (first, last), channels, following, begun
        )
        coefficients_NS[:, channels] = best.own
        errors += [*([] if errors else [start_N]), best.pixel]
        with torch.no_grad():
            s_NS = problem.s + merged(coefficients_NS, problem.by_z, problem.by_n)
            state = generator.run(s_NS, state, first, last)
    return Solution(coefficients_NS, torch.stack(errors, dim=1))


def _solve_layers(
    generator: Generator,
    problem: Problem,
    settings: Settings,
    coefficients_NS: Tensor,
    state: Any,
    layers: tuple[int, int],
    channels: slice,
    following: slice,
    begun: _Pass | None,
) -> tuple[Tensor, _Best, _Pass | None]:
    """The pixel loss at the start, (N,); the coefficients of some layers, given those of the others and the features
    before them; and the first pass of the next layer, where it has been made already.

    That is so where all rows end with the coefficients of the last pass: for the next layer it has all but the gradient
    in its own coefficients, the channels `following`, and that comes with the same backward pass. begun: such a pass.
    """
    own_NC = coefficients_NS[:, channels].clone()
    adam = torch.optim.Adam([own_NC], lr=settings.step_size)
    infinite_N = torch.full_like(problem.s[:, 0], torch.inf)
    best = _Best(own_NC.clone(), infinite_N, infinite_N.clone())
    wanted_N = torch.tensor(problem.going or (True,) * len(problem.s), device=problem.s.device)
    going_N, start_N = wanted_N, infinite_N
    both = slice(channels.start, following.stop)
    reach = layers[0], layers[1] + (following.stop > following.start)
    for step in range(settings.steps + 1):
        asked_NC = None
        if step == 0 and begun is not None:
            found_N, pixel_N = begun.loss, begun.pixel
        else:
            asked_NC = torch.cat([own_NC, coefficients_NS[:, following]], dim=1).requires_grad_()
            with torch.set_grad_enabled(step < settings.steps or following.stop > following.start):
                loss_N, pixel_N = losses(generator, problem, settings, coefficients_NS, asked_NC, state, reach, both)
            found_N, pixel_N = loss_N.detach(), pixel_N.detach()
        start_N = start_N if step else pixel_N
        better_N = going_N & (found_N < best.loss)
        fell_N = found_N < best.loss - settings.tolerance * best.loss.abs() if step else going_N
        best.own = torch.where(better_N[:, None], own_NC, best.own)
        best.loss = torch.where(better_N, found_N, best.loss)
        best.pixel = torch.where(better_N, pixel_N, best.pixel)
        going_N = going_N & fell_N
        if step == settings.steps or not going_N.any():
            break
        if asked_NC is None:
            assert begun is not None
            own_NC.grad = begun.gradient
        else:
            (gradient,) = torch.autograd.grad(loss_N.sum(), asked_NC)
            own_NC.grad = gradient[:, : own_NC.shape[1]].contiguous()
        adam.step()
        own_NC.clamp_(0, 1)
    if asked_NC is None or following.stop == following.start or not (better_N | ~wanted_N).all():
        return start_N, best, None
    (gradient,) = torch.autograd.grad(loss_N.sum(), asked_NC)
    return start_N, best, _Pass(found_N, pixel_N, gradient[:, own_NC.shape[1] :].contiguous())


def losses(
    generator: Generator,
    problem: Problem,
    settings: Settings,
    coefficients_NS: Tensor,
    own_NC: Tensor,
    state: Any,
    layers: tuple[int, int],
    channels: slice,
) -> tuple[Tensor, Tensor]:
    """The objective and the pixel loss (N,) with `own` in place of the coefficients of these layers.

    state: the features before `layers`. Gradients reach `own` alone; the styles of later layers get none.
    """
    first, last = layers
    by_m_NS = merged(coefficients_NS, problem.by_z, problem.by_n)
    own_by_m_NC = merged(own_NC, problem.by_z[:, channels], problem.by_n[:, channels])

    def with_own(others_NS: Tensor, own: Tensor) -> Tensor:
        return torch.cat([others_NS[:, : channels.start], own, others_NS[:, channels.stop :]], dim=1)

    fixed_NS = problem.s + by_m_NS
    state = generator.run(with_own(fixed_NS, problem.s[:, channels] + own_by_m_NC), state, first, last)
    state = generator.run(fixed_NS, state, last, len(generator.style_layers))
    x_N3HW = generator.image(state, problem.source.shape[-1])
    pixel_N = pixel_loss(x_N3HW, problem.source, problem.outside, settings.pixels)
    by_m_NS = with_own(by_m_NS, own_by_m_NC)
    if settings.attribute == "cosine":
        attribute_N = attribute_loss(problem.by_n, by_m_NS)
    else:
        attribute_N = progress_loss(problem.by_n, by_m_NS, problem.spread)
    norm_N = norm_loss(with_own(coefficients_NS, own_NC))
    return objective(pixel_N, attribute_N, norm_N, settings.lambda_attr, settings.lambda_norm), pixel_N
