"""The networks of the Latent Transformer: the latent classifier C and the transformations T, one for each attribute.

Yao et al., "Learning Non-Linear Disentangled Editing for StyleGAN", ICIP 2021, Sec. 3.1.

Shapes: N rows, L layers of w+, W w_dim, D numbers of a code (W in w, L * W in w+), A attributes of C, J of T, H hidden.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.editors.resumable import random_of

HIDDEN, RELEASED_HIDDEN = (512, 512), (2048, 512)
"""Widths of the latent classifier, between its layers."""
WIDTH_OF_H = 512
PAIR = ("weight", "bias")
OF_A_TRANSFORMER = ("weight_1", "bias_1", "weight_2", "bias_2")
LEAK = 0.2


class LatentClassifier(nn.Module):
    """C: codes (N, D) -> logits (N, A); three linear layers with ReLU between them.

    Args:
        width: D.
        attributes: A.
        seed: of the first weights.
        hidden: widths between the layers.
    """

    def __init__(self, width: int, attributes: int, seed: int, hidden: tuple[int, int] = HIDDEN) -> None:
        super().__init__()
        widths, random = (width, *hidden, attributes), random_of(seed, "classifier")
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        for fan_in, fan_out in pairwise(widths):
            self.weights.append(nn.Parameter(_uniform((fan_out, fan_in), fan_in, random)))
            self.biases.append(nn.Parameter(_uniform((fan_out,), fan_in, random)))

    def forward(self, codes_ND: Tensor) -> Tensor:
        """Leading dimensions are kept: (..., D) -> (..., A)."""
        x = codes_ND
        for place, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = functional.linear(functional.relu(x) if place else x, weight, bias)
        return x

    def named(self, attributes: Sequence[str]) -> dict[str, Tensor]:
        """The weights, those of the last layer by attribute: `classifier.0.weight`, `classifier.out.smile.weight`."""
        *inner, (weight_AH, bias_A) = zip(self.weights, self.biases, strict=True)
        kept = {
            f"classifier.{i}.{n}": v.detach() for i, pair in enumerate(inner) for n, v in zip(PAIR, pair, strict=True)
        }
        for place, name in enumerate(attributes):
            kept |= {
                f"classifier.out.{name}.weight": weight_AH[place].detach(),
                f"classifier.out.{name}.bias": bias_A[place].detach(),
            }
        return kept


class Transformers(nn.Module):
    """T of J attributes as one batched network, each with its own weights (Eq. 1). weight_1 is (J, W, H) and weight_2
    (J, H, W): so the gradient of a batched product is what it is, without a copy that transposes it.

    T(z, alpha) = z + alpha H(z), where H is two linear layers with a LeakyReLU between them. In w+ each row of a code
    goes through the same H.

    Args:
        width: W.
        attributes: names of the J attributes; the first weights of each depend on its name and `seed` alone.
    """

    def __init__(self, width: int, attributes: tuple[str, ...], seed: int) -> None:
        super().__init__()
        drawn = [_first_weights(width, random_of(seed, name)) for name in attributes]
        self.weight_1, self.bias_1, self.weight_2, self.bias_2 = (
            nn.Parameter(torch.stack([_laid_out(value) for value in each])) for each in zip(*drawn, strict=True)
        )

    def forward(self, z_NW: Tensor, alpha_JN: Tensor) -> Tensor:
        """T of each attribute: (N, W) or (N, L, W) -> (J, N, W) or (J, N, L, W); alpha (J, N)."""
        alpha = alpha_JN.reshape(*alpha_JN.shape, *[1] * (z_NW.dim() - 1))
        return z_NW + alpha * self.displacement(z_NW)

    def at(self, place: int, z_NW: Tensor, alpha_N: Tensor) -> Tensor:
        """T of one attribute, by its place among them: (N, W) or (N, L, W) -> the same; alpha (N,)."""
        hidden = z_NW @ self.weight_1[place] + self.bias_1[place]
        moved = functional.leaky_relu(hidden, LEAK) @ self.weight_2[place] + self.bias_2[place]
        return z_NW + alpha_N.reshape(-1, *[1] * (z_NW.dim() - 1)) * moved

    def displacement(self, z_NW: Tensor) -> Tensor:
        """H of each attribute: (N, W) or (N, L, W) -> (J, N, W) or (J, N, L, W)."""
        rows_JMW = z_NW.reshape(1, -1, z_NW.shape[-1]).expand(len(self.weight_1), -1, -1)
        hidden_JMH = torch.baddbmm(self.bias_1[:, None], rows_JMW, self.weight_1)
        hidden_JMH = functional.leaky_relu(hidden_JMH, LEAK)
        moved_JMW = torch.baddbmm(self.bias_2[:, None], hidden_JMH, self.weight_2)
        return moved_JMW.reshape(len(self.weight_1), *z_NW.shape)

    def named(self, attributes: Sequence[str]) -> dict[str, Tensor]:
        """The weights by attribute, as `nn.Linear` has them: `transformer.smile.weight_1` is (H, W)."""
        return {
            f"transformer.{name}.{part}": _laid_out(getattr(self, part)[place].detach())
            for place, name in enumerate(attributes)
            for part in OF_A_TRANSFORMER
        }


class LayerTransformers(nn.Module):
    """T as in the public code, in w+: one linear layer for each of the L rows of a code; the same interface.

    The weights are drawn from a normal distribution and used times 1 / sqrt(W), so that a step of Adam moves them less.
    """

    def __init__(self, shape: tuple[int, int], attributes: tuple[str, ...], seed: int) -> None:
        super().__init__()
        layers, width = shape
        drawn = [torch.randn(layers, width, width, generator=random_of(seed, name)) for name in attributes]
        self.gain = 1 / math.sqrt(width)
        self.weight = nn.Parameter(torch.stack(drawn))
        self.bias = nn.Parameter(torch.zeros(len(attributes), layers, width))

    def forward(self, z_NLW: Tensor, alpha_JN: Tensor) -> Tensor:
        """T of each attribute: (N, L, W) -> (J, N, L, W); alpha (J, N)."""
        moved_JLNW = torch.matmul(z_NLW.transpose(0, 1), self.gain * self.weight) + self.bias[:, :, None]
        return z_NLW + alpha_JN[:, :, None, None] * moved_JLNW.transpose(1, 2)

    def at(self, place: int, z_NLW: Tensor, alpha_N: Tensor) -> Tensor:
        """T of one attribute, by its place among them: (N, L, W) -> the same; alpha (N,)."""
        moved_LNW = torch.matmul(z_NLW.transpose(0, 1), self.gain * self.weight[place]) + self.bias[place][:, None]
        return z_NLW + alpha_N[:, None, None] * moved_LNW.transpose(0, 1)

    def named(self, attributes: Sequence[str]) -> dict[str, Tensor]:
        """The weights by attribute, ready for use: `transformer.smile.layers` is (L, out, in), `.biases` (L, W)."""
        return {
            name: value
            for place, attribute in enumerate(attributes)
            for name, value in {
                f"transformer.{attribute}.layers": self.gain * self.weight[place].detach().transpose(1, 2),
                f"transformer.{attribute}.biases": self.bias[place].detach(),
            }.items()
        }


def _first_weights(width: int, random: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    return (
        _uniform((WIDTH_OF_H, width), width, random),
        _uniform((WIDTH_OF_H,), width, random),
        _uniform((width, WIDTH_OF_H), WIDTH_OF_H, random),
        _uniform((width,), WIDTH_OF_H, random),
    )


def _laid_out(value: Tensor) -> Tensor:
    """A matrix as (in, out) where it is (out, in), and the other way round; a bias as it is."""
    return value.T.contiguous() if value.dim() == 2 else value


def _uniform(shape: tuple[int, ...], fan_in: int, random: torch.Generator) -> Tensor:
    """As `nn.Linear` draws them: uniform within 1 / sqrt(fan_in)."""
    bound = 1 / math.sqrt(fan_in)
    return torch.empty(shape).uniform_(-bound, bound, generator=random)
