"""PGGAN: a generator without styles.

Karras et al., "Progressive Growing of GANs for Improved Quality, Stability, and Variation", 2018 (arXiv:1710.10196).
It has no mapping network and no w: codes are in z, which the first layer takes.

Shapes: N rows, Z z_dim, C channels; features are (N, C, height, width).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, NoReturn

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.errors import ModelFileError, SpecError
from pipeline.models.backend import Backend
from pipeline.models.codes import Codes
from pipeline.models.generators.generator import Generator, ModulatedLayer, fingerprint
from pipeline.models.generators.mapping import LEAK, normalised
from pipeline.models.generators.options import Options
from pipeline.models.generators.transposed import transposed_kernel

ARCHITECTURE = "pggan 1"


class State(NamedTuple):
    """Between two layers. After the last one, RGB."""

    features: Tensor


@dataclass(frozen=True)
class Shape:
    """What fixes the shapes of all parameters: features of r px have min(channel_base / r, channel_max) channels."""

    resolution: int
    channel_base: int
    channel_max: int
    z_dim: int

    @property
    def convolutions(self) -> int:
        return 2 * (int(math.log2(self.resolution)) - 1)

    def channels(self, layer: int) -> int:
        """Of the features that a convolution makes."""
        return min(self.channel_base // (4 << layer // 2), self.channel_max)

    @classmethod
    def of(cls, options: Options) -> Shape:
        """Of the options of a checkpoint. Raises ModelFileError."""
        for name, value in {
            "img_channels": 3, "c_dim": 0, "synthesis.activation": "lrelu", "synthesis.fused_scale": False,
        }.items():  # fmt: skip
            options.one_of(name, [value])
        return cls(
            resolution=options.size("img_resolution"),
            channel_base=options.whole("synthesis.channel_base", most=1 << 24),
            channel_max=options.whole("synthesis.channel_max"),
            z_dim=options.whole("z_dim"),
        )


class Layer(ModulatedLayer):
    """A convolution of the features, each pixel normalised over its channels first. The first layer's are z."""

    def __init__(self, kernel: tuple[int, ...], channels: int, width: int = 0):
        super().__init__(nn.Identity(), width)
        self.weight = nn.Parameter(torch.empty(kernel))
        self.bias = nn.Parameter(torch.empty(channels))


class First(Layer):
    """z to 4x4 pixels."""

    def __init__(self, shape: Shape):
        channels = shape.channels(0)
        super().__init__((shape.z_dim, channels, 4, 4), channels, width=shape.z_dim)

    def forward(self, state: State, z_NZ: Tensor) -> State:
        x = normalised(z_NZ).to(self.weight.dtype)[:, :, None, None]
        return State(functional.leaky_relu(functional.conv_transpose2d(x, self.weight, self.bias), LEAK))


class Conv(Layer):
    """3x3 at the size of its input."""

    def __init__(self, shape: Shape, layer: int):
        channels = shape.channels(layer)
        super().__init__((channels, shape.channels(layer - 1), 3, 3), channels)

    def forward(self, state: State, nothing: Tensor) -> State:
        y = functional.conv2d(normalised(state.features), self.weight, self.bias, padding=1)
        return State(functional.leaky_relu(y, LEAK))


class UpConv(Layer):
    """Each pixel doubled, then 3x3: together a transposed convolution of 4x4."""

    def __init__(self, shape: Shape, layer: int):
        channels = shape.channels(layer)
        super().__init__((shape.channels(layer - 1), channels, 4, 4), channels)

    def forward(self, state: State, nothing: Tensor) -> State:
        x = normalised(state.features)
        y = functional.conv_transpose2d(x, self.weight, self.bias, stride=2, padding=1)
        return State(functional.leaky_relu(y, LEAK))


class ToRGB(Layer):
    """1x1 to RGB."""

    def __init__(self, shape: Shape):
        super().__init__((3, shape.channels(shape.convolutions - 1), 1, 1), 3)

    def forward(self, state: State, nothing: Tensor) -> State:
        return State(functional.conv2d(normalised(state.features), self.weight, self.bias))


class Synthesis(nn.Module):
    """layer0, layer1, ..., output."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.layer0 = First(shape)
        for layer in range(1, shape.convolutions):
            self.add_module(f"layer{layer}", (Conv if layer % 2 else UpConv)(shape, layer))
        self.output = ToRGB(shape)

    def layers(self) -> dict[str, ModulatedLayer]:
        """All layers by name, in the order in which they run."""
        return {name: layer for name, layer in self.named_children() if isinstance(layer, ModulatedLayer)}


class PGGAN(Generator):
    """A PGGAN of any resolution. Its codes are in z alone: what needs w, w+, s or truncation is an error.

    For `run` the first layer's styles are z, and the other layers have none.

    Args:
        name: as in the registry.
        shape: what fixes the shapes of the parameters.
        tensors: as `named` gives them.
        backend: how the layers are run.

    Raises:
        ModelFileError: a tensor is missing, unknown or of another shape.
    """

    spaces = ("z",)

    def __init__(self, name: str, shape: Shape, tensors: Mapping[str, Tensor], backend: Backend):
        super().__init__(name, fingerprint(f"{ARCHITECTURE} {shape}", tensors, None), backend)
        self.shape = shape
        self.z_dim, self.resolution = shape.z_dim, shape.resolution
        self.sizes = tuple(shape.resolution >> i for i in range(shape.convolutions // 2))
        self.mapping = nn.Identity()
        with torch.device("meta"):
            self.synthesis = Synthesis(shape)
        layers = self.synthesis.layers()
        self.load_weights(tensors, torch.zeros(0), layers, [0] * len(layers))

    @property
    def w_dim(self) -> int:  # type: ignore[override]
        self._lacks_w()

    @property
    def num_ws(self) -> int:  # type: ignore[override]
        self._lacks_w()

    @property
    def stylegan2_rows(self) -> tuple[int, ...]:
        self._lacks_w()

    def map(self, z_NZ: Tensor, psi: float = 1.0, cutoff: int | None = None) -> Tensor:
        self._lacks_w()

    def truncate(self, ws_NLW: Tensor, psi: float, cutoff: int | None = None) -> Tensor:
        self._lacks_w()

    def styles(self, ws_NLW: Tensor) -> Tensor:
        self._lacks_w()

    def check_cutoff(self, cutoff: int | None) -> int | None:
        if cutoff is not None:
            self._lacks_w()
        return cutoff

    def styles_of(self, codes: Codes) -> Tensor:
        self.check_codes(codes)
        return codes.values

    def truncated(self, z_NZ: Tensor, psi: float, cutoff: int | None = None) -> Codes:
        if psi != 1.0 or cutoff is not None:
            self._lacks_w()
        return Codes("z", z_NZ)

    def start(self, rows: int) -> State:
        return State(self.w_avg.new_ones(rows, self.z_dim, 1, 1))

    def _channels_first(self, state: State) -> Tensor:
        return state.features

    def image(self, state: State, size: int | None = None) -> Tensor:
        return self._pooled(state.features, size)

    def _lacks_w(self) -> NoReturn:
        raise SpecError(f"{self.name} is a PGGAN: its codes are in z, and it has no w, no styles and no truncation")


def named(tensors: Mapping[str, Tensor], options: Options) -> dict[str, Tensor]:
    """The parameters of a checkpoint as `PGGAN` names and scales them.

    tensors: by the names of genforce's port; gains of the equalised learning rate are not applied in them.

    Raises:
        ModelFileError: a weight has not the dimensions of a convolution's.
    """
    last = int(math.log2(options.size("img_resolution"))) - 2
    own: dict[str, Tensor] = {}
    for key, tensor in tensors.items():
        found = re.fullmatch(r"(layer|output)(\d+)\.(weight|bias)", key)
        if found is None:
            own[key] = tensor
            continue
        kind, number, part = found[1], int(found[2]), found[3]
        if kind == "output":
            if number == last:
                own[f"synthesis.output.{part}"] = tensor * tensor.shape[1] ** -0.5 if part == "weight" else tensor
        else:
            own[f"synthesis.layer{number}.{part}"] = _weight(number, tensor, key) if part == "weight" else tensor
    return own


def _weight(number: int, tensor: Tensor, key: str) -> Tensor:
    """Of a layer, with its gain, as our layer of that number takes it."""
    if tensor.dim() != 4:
        raise ModelFileError(f"{key} has the shape {tuple(tensor.shape)}, which is no convolution's")
    weight = tensor * (2 / tensor[0].numel()) ** 0.5
    if number == 0:
        return weight.flip(2, 3).transpose(0, 1).contiguous()
    return weight if number % 2 else transposed_kernel(weight.flip(2, 3))
