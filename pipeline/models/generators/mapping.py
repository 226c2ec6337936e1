"""The mapping network of StyleGAN, StyleGAN2 and StyleGAN3: z, and the class if there are classes, to w.

Karras et al., "A Style-Based Generator Architecture for Generative Adversarial Networks", 2019 (arXiv:1812.04948).

Shapes: N rows, Z z_dim, W w_dim, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.errors import SpecError
from pipeline.models.generators.options import Options

LEAK = 0.2
MEAN_ROWS = 10_000
"""Of the mean w of a network whose file has none."""
BATCH = 1_000
SEED = 0


@dataclass(frozen=True)
class MappingShape:
    """What fixes the parameters of a mapping network.

    Attributes:
        z_dim, w_dim: Z and W.
        layers: linear layers.
        hidden: channels between them.
        rate: multiplier of the learning rate, which scales weights and biases.
        classes: K, 0 for a network without classes.
        embedded: channels of an embedded class.
    """

    z_dim: int = 512
    w_dim: int = 512
    layers: int = 8
    hidden: int = 512
    rate: float = 0.01
    classes: int = 0
    embedded: int = 512

    @classmethod
    def of(cls, options: Options) -> MappingShape:
        """Of `init_kwargs` in stylegan2-ada-pytorch and stylegan3. Raises ModelFileError."""
        w_dim, classes = options.whole("w_dim"), options.whole("c_dim", least=0)
        options.one_of("mapping.activation", ["lrelu"])
        return cls(
            z_dim=options.whole("z_dim"),
            w_dim=w_dim,
            layers=options.whole("mapping.num_layers", most=64),
            hidden=options.whole_or("mapping.layer_features", w_dim),
            rate=options.number("mapping.lr_multiplier"),
            classes=classes,
            embedded=options.whole_or("mapping.embed_features", w_dim, least=0),
        )


class FullyConnected(nn.Module):
    """Linear layer with an equalised learning rate, and a leaky ReLU (gain sqrt 2) if `activate`."""

    def __init__(self, in_features: int, out_features: int, rate: float = 1.0, activate: bool = False):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(out_features, in_features))
        self.bias = nn.Parameter(torch.empty(out_features))
        self.gain = rate / in_features**0.5
        self.rate = rate
        self.activate = activate

    def forward(self, x: Tensor) -> Tensor:
        y = functional.linear(x, self.weight * self.gain, self.bias * self.rate)
        return functional.leaky_relu(y, LEAK) * 2**0.5 if self.activate else y


class MappingNetwork(nn.Module):
    """z (N, Z) -> w (N, W), under the parameter names of stylegan2-ada-pytorch: fc0, fc1, ..., embed.

    Args:
        shape: what fixes the parameters.
        chosen: the class of all rows, from 0 to K - 1; None for a network without classes.
    """

    def __init__(self, shape: MappingShape, chosen: int | None = None):
        super().__init__()
        self.depth, self.classes, self.chosen = shape.layers, shape.classes, chosen
        if shape.classes:
            self.embed = FullyConnected(shape.classes, shape.embedded)
        first = shape.z_dim + (shape.embedded if shape.classes else 0)
        widths = [first, *[shape.hidden] * (shape.layers - 1), shape.w_dim]
        for i in range(self.depth):
            self.add_module(f"fc{i}", FullyConnected(widths[i], widths[i + 1], shape.rate, activate=True))

    def forward(self, z_NZ: Tensor) -> Tensor:
        x = normalised(z_NZ)
        if self.classes:
            chosen_1K = functional.one_hot(torch.tensor([self.chosen], device=x.device), self.classes).to(x.dtype)
            x = torch.cat([x, normalised(self.embed(chosen_1K)).expand(len(x), -1)], dim=1)
        for i in range(self.depth):
            x = self.get_submodule(f"fc{i}")(x)
        return x


def normalised(x: Tensor) -> Tensor:
    """Of rows the mean square is 1."""
    return x * (x.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()


@torch.no_grad()
def mean_w(mapping: nn.Module, z_dim: int, rows: int = MEAN_ROWS) -> Tensor:
    """(W,) mean w of the first `rows` normal z of one Philox stream, summed in float64."""
    random = np.random.Generator(np.random.Philox(SEED))
    total = torch.zeros((), dtype=torch.float64)
    for first in range(0, rows, BATCH):
        z_NZ = torch.from_numpy(random.standard_normal((min(BATCH, rows - first), z_dim), dtype=np.float32))
        total = total + mapping(z_NZ).double().sum(dim=0)
    return (total / rows).float()


def check_class(name: str, classes: int, chosen: int | None) -> None:
    """Raises SpecError unless a class is chosen where there are classes, and none where there are none."""
    if chosen is not None and not classes:
        raise SpecError(f"{name} has no classes: leave out class={chosen}")
    if chosen is None and classes:
        raise SpecError(f"{name} makes pictures of {classes} classes: choose one of class=0 to class={classes - 1}")
    if chosen is not None and not 0 <= chosen < classes:
        raise SpecError(f"class={chosen}: {name} has the classes 0 to {classes - 1}")
