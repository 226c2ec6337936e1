"""StyleGAN2 of any resolution, under the parameter names of stylegan2-ada-pytorch.

Karras et al., "Analyzing and Improving the Image Quality of StyleGAN", 2020 (arXiv:1912.04958). Weights are stored as
trained: equalised learning rates are applied at run time. The synthesis network has skip connections to RGB (`skip`),
residual blocks (`resnet`), or neither (`orig`).

Shapes: N rows, Z z_dim, W w_dim, C channels; features are (N, C, height, width).
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.errors import ModelFileError, SpecError
from pipeline.models.backend import Backend
from pipeline.models.generators.generator import Generator, ModulatedLayer, fingerprint
from pipeline.models.generators.mapping import FullyConnected, MappingNetwork, MappingShape
from pipeline.models.generators.modulated_conv import Fixed, blur_taps, modulated_conv
from pipeline.models.generators.options import Options

ARCHITECTURE = "stylegan2 3"
Connections = Literal["skip", "orig", "resnet"]


class State(NamedTuple):
    """Between two layers: the features, and the image so far: a sum with `skip`, else that of the last layer alone."""

    features: Tensor
    rgb: Tensor


class ResidualState(NamedTuple):
    """The same within a residual block, with what the block adds to its end."""

    features: Tensor
    rgb: Tensor
    residual: Tensor


@dataclass(frozen=True)
class Shape:
    """What fixes the shapes of all parameters.

    Attributes:
        resolution: pixels of a side, a power of two from 8 on.
        channel_base, channel_max: features of r px have min(channel_base / r, channel_max) channels.
        conv_clamp: bound on the outputs of the convolutions, as nets trained in half precision have it.
        connections: the architecture of the synthesis network.
        noise: whether the convolutions add noise.
        mapping: the mapping network.
    """

    resolution: int
    channel_base: int = 32768
    channel_max: int = 512
    conv_clamp: float | None = None
    connections: Connections = "skip"
    noise: bool = True
    mapping: MappingShape = field(default_factory=MappingShape)

    @property
    def resolutions(self) -> list[int]:
        return [2**i for i in range(2, int(math.log2(self.resolution)) + 1)]

    def channels(self, resolution: int) -> int:
        return min(self.channel_base // resolution, self.channel_max)

    @classmethod
    def of(cls, options: Options) -> Shape:
        """Of `init_kwargs` in stylegan2-ada-pytorch. Raises ModelFileError."""
        options.one_of("img_channels", [3])
        options.one_of("synthesis.kernel_size", [3])
        options.one_of("synthesis.activation", ["lrelu"])
        options.one_of("synthesis.resample_filter", [[1, 3, 3, 1]])
        clamp = options.value("synthesis.conv_clamp")
        return cls(
            resolution=options.size("img_resolution"),
            channel_base=options.whole("synthesis.channel_base", most=1 << 24),
            channel_max=options.whole("synthesis.channel_max"),
            conv_clamp=None if clamp is None else options.number("synthesis.conv_clamp"),
            connections=options.one_of("synthesis.architecture", get_args(Connections)),
            noise=options.one_of("synthesis.use_noise", [True, False]),
            mapping=MappingShape.of(options),
        )


class Conv(ModulatedLayer):
    """Modulated and demodulated 3x3 convolution, at the size of its input or twice that; noise, bias, leaky ReLU.

    With `shape.connections` "resnet", the first of a block also computes what the second adds to its result.
    """

    def __init__(self, shape: Shape, channels_in: int, resolution: int, up: bool):
        super().__init__(FullyConnected(shape.mapping.w_dim, channels_in), channels_in)
        channels = shape.channels(resolution)
        self.weight = nn.Parameter(torch.empty(channels, channels_in, 3, 3))
        if shape.noise:
            self.noise_const = nn.Parameter(torch.empty(resolution, resolution))
            self.noise_strength = nn.Parameter(torch.empty(()))
        self.bias = nn.Parameter(torch.empty(channels))
        self.up, self.noise, self.clamp = up, shape.noise, shape.conv_clamp

    def forward(self, state: State, s_NC: Tensor) -> State:
        return State(self.convolved(state.features, s_NC), state.rgb)

    def prepare(self) -> None:
        self.register_buffer("power", self.weight.detach().square().sum(dim=(2, 3)).T.contiguous(), persistent=False)

    def lay_out(self) -> None:
        if self.up:  # as a transposed convolution takes it, so that it is not copied at each call
            turned = self.weight.data.transpose(0, 1).contiguous(memory_format=torch.channels_last)
            self.weight.data = turned.transpose(0, 1)

    def convolved(self, features: Tensor, s_NC: Tensor, gain: float = 1.0) -> Tensor:
        """The features after this layer, times `gain`. Gains go into what is multiplied and added anyway."""
        bound = None if self.clamp is None else self.clamp * gain
        gain *= 2**0.5
        noise = self.noise_const * (self.noise_strength * gain) if self.noise else features.new_zeros(())
        fixed = Fixed(self.weight, noise, self.bias * gain, self.up, bound)
        return modulated_conv(features, s_NC, self.demodulation(s_NC) * gain, fixed)

    def demodulation(self, s_NC: Tensor) -> Tensor:
        """(N, C out) one over the expected deviation of each output channel."""
        return (s_NC.square() @ self.get_buffer("power").to(s_NC.dtype) + 1e-8).rsqrt()


class ResidualStart(Conv):
    """The first convolution of a residual block, and its shortcut: a 1x1 convolution, doubled in size."""

    def __init__(self, shape: Shape, channels_in: int, resolution: int):
        super().__init__(shape, channels_in, resolution, up=True)
        self.shortcut = nn.Parameter(torch.empty(shape.channels(resolution), channels_in, 1, 1))

    def forward(self, state: State, s_NC: Tensor) -> ResidualState:  # type: ignore[override]
        x = functional.conv2d(state.features, self.shortcut * (0.5 / self.shortcut.shape[1]) ** 0.5)
        return ResidualState(self.convolved(state.features, s_NC), state.rgb, doubled(x))


class ResidualEnd(Conv):
    """The second convolution of a residual block. Both parts are scaled so that their sum has unit variance."""

    def forward(self, state: ResidualState, s_NC: Tensor) -> State:  # type: ignore[override]
        return State(self.convolved(state.features, s_NC, 0.5**0.5) + state.residual, state.rgb)


class ToRGB(ModulatedLayer):
    """Modulated 1x1 convolution to RGB, added to the image so far (with `skip`), which is doubled in size first."""

    def __init__(self, shape: Shape, channels_in: int):
        super().__init__(FullyConnected(shape.mapping.w_dim, channels_in), channels_in)
        self.weight = nn.Parameter(torch.empty(3, channels_in, 1, 1))
        self.bias = nn.Parameter(torch.empty(3))
        self.gain = 1 / channels_in**0.5
        self.clamp = shape.conv_clamp
        self.adds = shape.connections == "skip"

    def forward(self, state: State, s_NC: Tensor) -> State:
        weight_N3C = self.weight[:, :, 0, 0] * (s_NC * self.gain)[:, None].to(self.weight.dtype)
        rows = zip(state.features.permute(0, 2, 3, 1), weight_N3C, strict=True)
        rgb = torch.stack([functional.linear(x_HWC, weight_3C, self.bias) for x_HWC, weight_3C in rows])
        rgb = rgb.permute(0, 3, 1, 2)
        rgb = rgb if self.clamp is None else rgb.clamp(-self.clamp, self.clamp)
        rgb = rgb.to(state.rgb.dtype)
        if self.adds:
            rgb = rgb + (doubled(state.rgb) if state.rgb.shape[-1] < rgb.shape[-1] else state.rgb)
        return State(state.features, rgb)


def doubled(x: Tensor) -> Tensor:
    """x (N, C, h, w) at twice its size, with the filter 1, 3, 3, 1."""
    return functional.conv_transpose2d(x, blur_taps(x), stride=2, padding=1, groups=x.shape[1])


class Block(nn.Module):
    """One resolution: conv0 (but at 4 px, which has the constant instead), conv1, torgb where there is one."""

    def __init__(self, shape: Shape, resolution: int):
        super().__init__()
        channels = shape.channels(resolution)
        residual = shape.connections == "resnet" and resolution > 4
        if resolution == 4:
            self.const = nn.Parameter(torch.empty(channels, 4, 4))
        elif residual:
            self.conv0: Conv = ResidualStart(shape, shape.channels(resolution // 2), resolution)
        else:
            self.conv0 = Conv(shape, shape.channels(resolution // 2), resolution, up=True)
        self.conv1 = (ResidualEnd if residual else Conv)(shape, channels, resolution, up=False)
        if shape.connections == "skip" or resolution == shape.resolution:
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
    """A StyleGAN2 of any resolution; at 1024 px with `skip` it has 26 modulated layers and 18 rows of w+.

    Args:
        name: as in the registry.
        shape: what fixes the shapes of the parameters.
        tensors: `mapping.*` and `synthesis.*`, as stylegan2-ada-pytorch names them (without `w_avg` and filters; the
            shortcut of a residual block is `conv0.shortcut`).
        w_avg: (W,) mean of w; None to take the mean of seeded samples.
        backend: how the layers are run.
        chosen: the class of all rows, for a network with classes.

    Raises:
        ModelFileError: a tensor is missing, unknown or of another shape.
    """

    def __init__(
        self,
        name: str,
        shape: Shape,
        tensors: Mapping[str, Tensor],
        w_avg: Tensor | None,
        backend: Backend,
        chosen: int | None = None,
    ):
        super().__init__(name, fingerprint(f"{ARCHITECTURE} {shape} {chosen}", tensors, w_avg), backend)
        self.shape = shape
        self.z_dim, self.w_dim, self.resolution = shape.mapping.z_dim, shape.mapping.w_dim, shape.resolution
        self.sizes = tuple(reversed(shape.resolutions))
        with torch.device("meta"):
            self.mapping = MappingNetwork(shape.mapping, chosen)
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

    def _channels_first(self, state: State | ResidualState) -> Tensor:
        return state.features

    def image(self, state: Any, size: int | None = None) -> Tensor:
        size = self.check_size(size)
        if state.rgb.shape[-1] != self.resolution:
            raise SpecError(f"an image needs the state after all {len(self.style_layers)} layers")
        return functional.avg_pool2d(state.rgb, self.resolution // size)


def named(tensors: Mapping[str, Tensor], name: str) -> tuple[dict[str, Tensor], Tensor | None]:
    """The parameters of a checkpoint as `StyleGAN2` names them, and its mean w if it has one.

    Raises:
        ModelFileError: a filter of up-sampling is another than 1, 3, 3, 1.
    """
    own: dict[str, Tensor] = {}
    taps = blur_taps(torch.empty(1, 1))[0, 0]
    for key, tensor in tensors.items():
        if not key.endswith(".resample_filter"):
            own[re.sub(r"(b\d+)\.skip\.weight$", r"\1.conv0.shortcut", key)] = tensor
        elif tensor.shape != (4, 4) or not torch.allclose(tensor.float() * 4, taps, rtol=0, atol=1e-6):
            raise ModelFileError(f"{name}: {key} is another filter than 1, 3, 3, 1, which is not supported")
    return own, own.pop("mapping.w_avg", None)


def tiny_stylegan2(seed: int, resolution: int = 32, backend: Backend | None = None) -> StyleGAN2:
    """A StyleGAN2 with random weights and few channels: pictures of nothing, in a millisecond, for tests.

    Its z, w and style layers have the widths and the order of a real one's, but for the number of channels.
    """
    shape, tensors = _tiny_weights(seed, resolution)
    name = "stylegan2-tiny" if (seed, resolution) == (0, 32) else f"stylegan2-tiny-{resolution}-{seed}"
    own = {name: values.clone() for name, values in tensors.items()}
    return StyleGAN2(name, shape, own, torch.zeros(shape.mapping.w_dim), backend or Backend.eager())


@functools.cache
def _tiny_weights(seed: int, resolution: int) -> tuple[Shape, Mapping[str, Tensor]]:
    """Drawn once in a process: tests load the generator at every turn."""
    shape = Shape(resolution, channel_base=512, channel_max=32, mapping=MappingShape(layers=2))
    random = np.random.Generator(np.random.Philox(seed))
    with torch.device("meta"):
        parameters = nn.ModuleDict(
            {"mapping": MappingNetwork(shape.mapping), "synthesis": Synthesis(shape)}
        ).state_dict()
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
    return shape, tensors
