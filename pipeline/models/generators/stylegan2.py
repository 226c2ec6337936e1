"""StyleGAN2 with skip connections, under the parameter names of stylegan2-ada-pytorch.

Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020 (arXiv:1912.04958). Weights are stored as
trained: equalised learning rates are applied at run time. Noise is the stored constant one.

Shapes: N rows, Z z_dim, W w_dim, C channels; features are (N, C, height, width).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.errors import SpecError
from pipeline.models.backend import Backend
from pipeline.models.generators.generator import Generator, ModulatedLayer, fingerprint

ARCHITECTURE = "stylegan2 1"
LEAK = 0.2


class State(NamedTuple):
    """Between two layers: the features, and the sum of the images so far."""

    features: Tensor
    rgb: Tensor


@dataclass(frozen=True)
class Shape:
    """What fixes the shapes of all parameters.

    Attributes:
        resolution: pixels of a side, a power of two from 8 on.
        channel_base, channel_max: features of r px have min(channel_base / r, channel_max) channels.
        mapping_layers: linear layers of the mapping network.
        conv_clamp: bound on the outputs of the convolutions, as nets trained in half precision have it.
    """

    resolution: int
    channel_base: int = 32768
    channel_max: int = 512
    z_dim: int = 512
    w_dim: int = 512
    mapping_layers: int = 8
    conv_clamp: float | None = None

    @property
    def resolutions(self) -> list[int]:
        return [2**i for i in range(2, int(math.log2(self.resolution)) + 1)]

    def channels(self, resolution: int) -> int:
        return min(self.channel_base // resolution, self.channel_max)


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
    """z (N, Z) -> w (N, W)."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.depth = shape.mapping_layers
        for i in range(self.depth):
            self.add_module(
                f"fc{i}", FullyConnected(shape.w_dim if i else shape.z_dim, shape.w_dim, 0.01, activate=True)
            )

    def forward(self, z_NZ: Tensor) -> Tensor:
        x = z_NZ * (z_NZ.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()
        for i in range(self.depth):
            x = self.get_submodule(f"fc{i}")(x)
        return x


class Conv(ModulatedLayer):
    """Modulated and demodulated 3x3 convolution, at the size of its input or twice that; noise, bias, leaky ReLU."""

    def __init__(self, shape: Shape, channels_in: int, resolution: int, up: bool):
        super().__init__(FullyConnected(shape.w_dim, channels_in), channels_in)
        channels = shape.channels(resolution)
        self.weight = nn.Parameter(torch.empty(channels, channels_in, 3, 3))
        self.noise_const = nn.Parameter(torch.empty(resolution, resolution))
        self.noise_strength = nn.Parameter(torch.empty(()))
        self.bias = nn.Parameter(torch.empty(channels))
        self.up = up
        self.clamp = shape.conv_clamp

    def forward(self, state: State, s_NC: Tensor) -> State:
        x = state.features * s_NC[:, :, None, None].to(state.features.dtype)
        if self.up:
            x = functional.conv_transpose2d(x, self.weight.transpose(0, 1), stride=2)
            x = functional.conv2d(x, blur_taps(x), padding=1, groups=x.shape[1])
        else:
            x = functional.conv2d(x, self.weight, padding=1)
        x = x * self.demodulation(s_NC)[:, :, None, None].to(x.dtype) + self.noise_const * self.noise_strength
        x = functional.leaky_relu(x + self.bias[:, None, None], LEAK) * 2**0.5
        return State(x if self.clamp is None else x.clamp(-self.clamp, self.clamp), state.rgb)

    def demodulation(self, s_NC: Tensor) -> Tensor:
        """(N, C out) one over the expected deviation of each output channel."""
        power = self.weight.to(s_NC.dtype).square().sum(dim=(2, 3))
        return (s_NC.square() @ power.T + 1e-8).rsqrt()


class ToRGB(ModulatedLayer):
    """Modulated 1x1 convolution to RGB, added to the image so far, which is doubled in size first."""

    def __init__(self, shape: Shape, channels_in: int):
        super().__init__(FullyConnected(shape.w_dim, channels_in), channels_in)
        self.weight = nn.Parameter(torch.empty(3, channels_in, 1, 1))
        self.bias = nn.Parameter(torch.empty(3))
        self.gain = 1 / channels_in**0.5
        self.clamp = shape.conv_clamp

    def forward(self, state: State, s_NC: Tensor) -> State:
        x = state.features * (s_NC * self.gain)[:, :, None, None].to(state.features.dtype)
        rgb = functional.conv2d(x, self.weight, self.bias)
        rgb = rgb if self.clamp is None else rgb.clamp(-self.clamp, self.clamp)
        so_far = state.rgb
        if so_far.shape[-1] < rgb.shape[-1]:
            so_far = functional.conv_transpose2d(so_far, blur_taps(so_far), stride=2, padding=1, groups=3)
        return State(state.features, so_far + rgb.to(so_far.dtype))


def blur_taps(x: Tensor) -> Tensor:
    """The filter 1, 3, 3, 1 of up-sampling for each channel of x: (C, 1, 4, 4), of sum 4."""
    taps = x.new_tensor([0.25, 0.75, 0.75, 0.25])
    return torch.outer(taps, taps).expand(x.shape[1], 1, 4, 4)


class Block(nn.Module):
    """One resolution: conv0 (but at 4 px, which has the constant instead), conv1, torgb."""

    def __init__(self, shape: Shape, resolution: int):
        super().__init__()
        channels = shape.channels(resolution)
        if resolution == 4:
            self.const = nn.Parameter(torch.empty(channels, 4, 4))
        else:
            self.conv0 = Conv(shape, shape.channels(resolution // 2), resolution, up=True)
        self.conv1 = Conv(shape, channels, resolution, up=False)
        self.torgb = ToRGB(shape, channels)


class Synthesis(nn.Module):
    """Blocks b4, b8, b16, ..."""

    def __init__(self, shape: Shape):
        super().__init__()
        for resolution in shape.resolutions:
            self.add_module(f"b{resolution}", Block(shape, resolution))

    def layers(self) -> dict[str, ModulatedLayer]:
        """The modulated layers by name, in the order in which they run."""
        return {name: layer for name, layer in self.named_modules() if isinstance(layer, ModulatedLayer)}


def rows_of(layers: Mapping[str, ModulatedLayer]) -> list[int]:
    """The row of w+ of each layer, the number of convolutions before it: a torgb has that of the next conv0."""
    return list(accumulate((int(isinstance(layer, Conv)) for layer in layers.values()), initial=0))[:-1]


class StyleGAN2(Generator):
    """A StyleGAN2 of any resolution; at 1024 px it has 26 modulated layers and 18 rows of w+.

    Args:
        name: as in the registry.
        shape: what fixes the shapes of the parameters.
        tensors: `mapping.*` and `synthesis.*`, as stylegan2-ada-pytorch names them (without `w_avg` and filters).
        w_avg: (W,) mean of w.
        backend: how the layers are run.

    Raises:
        ModelFileError: a tensor is missing, unknown or of another shape.
    """

    def __init__(self, name: str, shape: Shape, tensors: Mapping[str, Tensor], w_avg: Tensor, backend: Backend):
        super().__init__(name, fingerprint(f"{ARCHITECTURE} {shape}", {**tensors, "w_avg": w_avg}), backend)
        self.shape = shape
        self.z_dim, self.w_dim, self.resolution = shape.z_dim, shape.w_dim, shape.resolution
        self.sizes = tuple(reversed(shape.resolutions))
        self.mapping = MappingNetwork(shape)
        self.synthesis = Synthesis(shape)
        layers = self.synthesis.layers()
        rows = rows_of(layers)
        self.num_ws = max(rows) + 1
        self.load_weights(tensors, w_avg, layers, rows)

    @property
    def stylegan2_rows(self) -> tuple[int, ...]:
        return tuple(range(self.num_ws))

    def start(self, rows: int) -> State:
        const = self.synthesis.get_parameter("b4.const")
        return State(const.expand(rows, -1, -1, -1), self.w_avg.new_zeros(rows, 3, 4, 4))

    def _channels_first(self, state: State) -> Tensor:
        return state.features

    def image(self, state: State, size: int | None = None) -> Tensor:
        size = self.check_size(size)
        if state.rgb.shape[-1] != self.resolution:
            raise SpecError(f"an image needs the state after all {len(self.style_layers)} layers")
        return functional.avg_pool2d(state.rgb, self.resolution // size)


def tiny_stylegan2(seed: int, resolution: int = 32, backend: Backend | None = None) -> StyleGAN2:
    """A StyleGAN2 with random weights and few channels: pictures of nothing, in a millisecond, for tests.

    Its z, w and style layers have the widths and the order of a real one's, but for the number of channels.
    """
    shape = Shape(resolution, channel_base=512, channel_max=32, mapping_layers=2)
    random = np.random.Generator(np.random.Philox(seed))
    with torch.device("meta"):
        parameters = nn.ModuleDict({"mapping": MappingNetwork(shape), "synthesis": Synthesis(shape)}).state_dict()
    tensors = {}
    for name, parameter in parameters.items():
        values = torch.from_numpy(random.standard_normal(tuple(parameter.shape), dtype=np.float32))
        if name.startswith("mapping.") and name.endswith("weight"):
            values = values * 100
        elif name.endswith("affine.bias"):
            values = values * 0.1 + 1
        elif name.endswith(("bias", "noise_strength", "torgb.weight")):
            values = values * 0.2
        tensors[name] = values
    name = "stylegan2-tiny" if (seed, resolution) == (0, 32) else f"stylegan2-tiny-{resolution}-{seed}"
    return StyleGAN2(name, shape, tensors, torch.zeros(shape.w_dim), backend or Backend.eager())
