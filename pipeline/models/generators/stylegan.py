"""StyleGAN, the first one.

Karras et al., "A Style-Based Generator Architecture for Generative Adversarial Networks", 2019 (arXiv:1812.04948).
Here a layer begins with a style and ends before the next one: it scales and shifts normalised features (AdaIN),
convolves them, adds noise and bias, and normalises the result. So it takes the row of w+ that StyleGAN2's takes.

Shapes: N rows, W w_dim, C channels; features are (N, C, height, width).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.errors import ModelFileError
from pipeline.models.backend import Backend
from pipeline.models.generators.generator import Generator, ModulatedLayer, fingerprint
from pipeline.models.generators.mapping import LEAK, FullyConnected, MappingNetwork, MappingShape
from pipeline.models.generators.options import Options
from pipeline.models.generators.transposed import transposed_kernel

ARCHITECTURE = "stylegan 1"
FUSED_FROM = 128
"""Pixels of a side from which on `fused_scale` "auto" up-samples within the convolution."""


class State(NamedTuple):
    """Between two layers: normalised features. After the last one, RGB."""

    features: Tensor


@dataclass(frozen=True)
class Shape:
    """What fixes the shapes of all parameters.

    Attributes:
        resolution: pixels of a side, a power of two from 8 on.
        channel_base, channel_max: features of r px have min(channel_base / r, channel_max) channels.
        mapping: the mapping network.
    """

    resolution: int
    channel_base: int
    channel_max: int
    mapping: MappingShape

    @property
    def layers(self) -> int:
        return 2 * (int(math.log2(self.resolution)) - 1)

    def channels(self, layer: int) -> int:
        """Of the features that a layer takes."""
        return min(self.channel_base // (4 << layer // 2), self.channel_max)

    @classmethod
    def of(cls, options: Options) -> Shape:
        """Of the options of a checkpoint. Raises ModelFileError."""
        for name, value in {
            "img_channels": 3, "c_dim": 0, "mapping.activation": "lrelu", "synthesis.activation": "lrelu",
            "synthesis.use_noise": True, "synthesis.resample_filter": [1, 2, 1],
        }.items():  # fmt: skip
            options.one_of(name, [value])
        w_dim = options.whole("w_dim")
        return cls(
            resolution=options.size("img_resolution"),
            channel_base=options.whole("synthesis.channel_base", most=1 << 24),
            channel_max=options.whole("synthesis.channel_max"),
            mapping=MappingShape(
                z_dim=options.whole("z_dim"),
                w_dim=w_dim,
                layers=options.whole("mapping.num_layers", most=64),
                hidden=options.whole_or("mapping.layer_features", w_dim),
                rate=options.number("mapping.lr_multiplier"),
            ),
        )


class Ending(nn.Module):
    """Noise, bias, leaky ReLU, and normalisation of each channel: what follows the constant and each convolution."""

    def __init__(self, channels: int, size: int):
        super().__init__()
        self.noise_const = nn.Parameter(torch.empty(size, size))
        self.noise_strength = nn.Parameter(torch.empty(channels))
        self.bias = nn.Parameter(torch.empty(channels))

    def forward(self, x_NCHW: Tensor) -> Tensor:
        noise_CHW = self.noise_strength[:, None, None] * self.noise_const + self.bias[:, None, None]
        return standardised(functional.leaky_relu(x_NCHW + noise_CHW, LEAK))


def standardised(x_NCHW: Tensor) -> Tensor:
    """Of each channel of each row the mean is 0 and the variance 1.

    Written out, since gradients of `functional.instance_norm` are wrong where these and the features are
    channels-last (torch 2.13).
    """
    x_NCHW = x_NCHW - x_NCHW.mean(dim=(2, 3), keepdim=True)
    return x_NCHW * (x_NCHW.square().mean(dim=(2, 3), keepdim=True) + 1e-8).rsqrt()


class Affine(FullyConnected):
    """w (N, W) -> s (N, 2 C): by what the features are multiplied, then what is added."""

    def forward(self, w_NW: Tensor) -> Tensor:
        s_NS = super().forward(w_NW)
        scale_NC, shift_NC = s_NS.chunk(2, dim=1)
        return torch.cat([scale_NC + 1, shift_NC], dim=1)


class StyledConv(ModulatedLayer):
    """Style, then a 3x3 convolution at the size of its input, or a transposed one of 4x4 and a blur at twice that."""

    def __init__(self, shape: Shape, layer: int):
        channels_in, channels = shape.channels(layer), shape.channels(layer + 1)
        super().__init__(Affine(shape.mapping.w_dim, 2 * channels_in), 2 * channels_in)
        self.up = layer % 2 == 1
        kernel = (channels_in, channels, 4, 4) if self.up else (channels, channels_in, 3, 3)
        self.weight = nn.Parameter(torch.empty(kernel))
        self.ending = Ending(channels, 4 << (layer + 1) // 2)

    def forward(self, state: State, s_NS: Tensor) -> State:
        x = styled(state.features, s_NS)
        if self.up:
            x = functional.conv_transpose2d(x, self.weight, stride=2, padding=1)
            taps = x.new_tensor([0.25, 0.5, 0.25])
            x = functional.conv2d(x, torch.outer(taps, taps).expand(x.shape[1], 1, 3, 3), padding=1, groups=x.shape[1])
        else:
            x = functional.conv2d(x, self.weight, padding=1)
        return State(self.ending(x))


class ToRGB(ModulatedLayer):
    """Style, then a 1x1 convolution to RGB."""

    def __init__(self, shape: Shape, layer: int):
        channels = shape.channels(layer)
        super().__init__(Affine(shape.mapping.w_dim, 2 * channels), 2 * channels)
        self.weight = nn.Parameter(torch.empty(3, channels, 1, 1))
        self.bias = nn.Parameter(torch.empty(3))

    def forward(self, state: State, s_NS: Tensor) -> State:
        return State(functional.conv2d(styled(state.features, s_NS), self.weight, self.bias))


def styled(x_NCHW: Tensor, s_NS: Tensor) -> Tensor:
    scale_NC, shift_NC = s_NS.to(x_NCHW.dtype).chunk(2, dim=1)
    return torch.addcmul(shift_NC[:, :, None, None], x_NCHW, scale_NC[:, :, None, None])


class Synthesis(nn.Module):
    """start, layer0, layer1, ..."""

    def __init__(self, shape: Shape):
        super().__init__()
        self.const = nn.Parameter(torch.empty(shape.channels(0), 4, 4))
        self.start = Ending(shape.channels(0), 4)
        for layer in range(shape.layers):
            is_last = layer == shape.layers - 1
            self.add_module(f"layer{layer}", (ToRGB if is_last else StyledConv)(shape, layer))

    def layers(self) -> dict[str, ModulatedLayer]:
        """The modulated layers by name, in the order in which they run."""
        return {name: layer for name, layer in self.named_children() if isinstance(layer, ModulatedLayer)}


class StyleGAN(Generator):
    """A StyleGAN of any resolution; at 1024 px it has 18 layers, each with its own row of w+.

    A layer of C channels has 2 C styles: by what each channel is multiplied, then what is added to it.

    Args:
        name: as in the registry.
        shape: what fixes the shapes of the parameters.
        tensors: as `named` gives them.
        w_avg: (W,) mean of w; None to take the mean of seeded samples.
        backend: how the layers are run.

    Raises:
        ModelFileError: a tensor is missing, unknown or of another shape.
    """

    def __init__(self, name: str, shape: Shape, tensors: Mapping[str, Tensor], w_avg: Tensor | None, backend: Backend):
        super().__init__(name, fingerprint(f"{ARCHITECTURE} {shape}", tensors, w_avg), backend)
        self.shape = shape
        self.z_dim, self.w_dim, self.resolution = shape.mapping.z_dim, shape.mapping.w_dim, shape.resolution
        self.sizes = tuple(shape.resolution >> i for i in range(shape.layers // 2))
        with torch.device("meta"):
            self.mapping = MappingNetwork(shape.mapping)
            self.synthesis = Synthesis(shape)
        layers = self.synthesis.layers()
        self.num_ws = len(layers)
        self.load_weights(tensors, w_avg, layers, range(self.num_ws))

    @property
    def stylegan2_rows(self) -> tuple[int, ...]:
        return tuple(range(self.num_ws))

    def start(self, rows: int) -> State:
        start = self.synthesis.get_submodule("start")
        return State(start(self.synthesis.get_parameter("const")[None]).expand(rows, -1, -1, -1))

    def maps(self, state: State, s_NS: Tensor, layer: int) -> Tensor:
        """(N, 2 C, h, w): each channel times its style, then what is added, which is the same in all pixels."""
        ends = [sum(one.width for one in self.style_layers[:count]) for count in (layer, layer + 1)]
        scale_NC, shift_NC = s_NS[:, ends[0] : ends[1]].to(state.features.dtype).chunk(2, dim=1)
        own = state.features * scale_NC[:, :, None, None]
        return torch.cat([own, shift_NC[:, :, None, None].expand_as(own)], dim=1)

    def _channels_first(self, state: State) -> Tensor:
        return state.features

    def image(self, state: State, size: int | None = None) -> Tensor:
        return self._pooled(state.features, size)


def named(tensors: Mapping[str, Tensor], options: Options) -> tuple[dict[str, Tensor], Tensor | None]:
    """The parameters of a checkpoint as `StyleGAN` names and scales them, and its mean w if it has one.

    tensors: by the names of genforce's port; gains of the equalised learning rate are not applied in them.

    Raises:
        ModelFileError: a weight has not the dimensions of a convolution's.
    """
    layers = 2 * (int(math.log2(options.size("img_resolution"))) - 1)
    fused = options.one_of("synthesis.fused_scale", ["auto", True, False])
    own: dict[str, Tensor] = {}
    for key, tensor in tensors.items():
        found = re.fullmatch(r"(?:mapping\.dense|synthesis\.(layer|output))(\d+)\.(.+)", key)
        if found is None:
            if key != "truncation.w_avg":
                own[key] = tensor
        elif found[1] is None:  # the gain sqrt 2 is in the weight alone there, here it is of the result
            own[f"mapping.fc{found[2]}.{found[3]}"] = tensor / 2**0.5 if found[3] == "bias" else tensor
        elif found[1] == "output":
            if int(found[2]) == layers // 2 - 1:
                gain = tensor.shape[1] ** -0.5 if found[3] == "weight" else 1
                own[f"synthesis.layer{layers - 1}.{found[3]}"] = tensor * gain
        else:
            own |= _of_layer(int(found[2]), found[3], tensor, fused, key)
    return own, tensors.get("truncation.w_avg")


def _of_layer(number: int, part: str, tensor: Tensor, fused: bool | str, key: str) -> dict[str, Tensor]:
    """A tensor of genforce's layer: its style begins our layer of that number, the rest ends the one before."""
    if part.startswith("style."):
        return {f"synthesis.layer{number}.affine.{part.removeprefix('style.')}": tensor}
    if part == "const":
        return {"synthesis.const": tensor.squeeze(0)}
    if part == "weight":
        if tensor.dim() != 4:
            raise ModelFileError(f"{key} has the shape {tuple(tensor.shape)}, which is no convolution's")
        weight = tensor * (2 / tensor[0].numel()) ** 0.5
        if number % 2 == 0:
            is_fused = 4 << number // 2 >= FUSED_FROM if fused == "auto" else fused
            weight = transposed_kernel(weight if is_fused else weight.flip(2, 3))
        return {f"synthesis.layer{number - 1}.weight": weight}
    names = {"bias": "bias", "apply_noise.weight": "noise_strength", "apply_noise.noise": "noise_const"}
    place = f"layer{number - 1}.ending" if number else "start"
    return {f"synthesis.{place}.{names.get(part, part)}": tensor[0, 0] if tensor.dim() == 4 else tensor}
