"""MobileStyleGAN: StyleGAN2's mapping network, and a synthesis of separable convolutions and inverse wavelets.

Belousov, "MobileStyleGAN: A Lightweight Convolutional Neural Network for High-Fidelity Image Synthesis", 2021
(arXiv:2104.04767). Demodulation and noise are constants of the weights, so that the image is a function of w alone.

Shapes: N rows, W w_dim, C channels; features are kept channels-last, (N, height, width, C).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.errors import SpecError
from pipeline.models.backend import Backend
from pipeline.models.generators.frozen_conv import frozen_conv
from pipeline.models.generators.generator import Generator, ModulatedLayer, fingerprint
from pipeline.models.generators.haar import haar_inverse, haar_sums
from pipeline.models.generators.pointwise import modulated_pointwise

ARCHITECTURE = "mobilestylegan 1"
W_DIM = 512
MAPPING_LAYERS = 8
CHANNELS = (512, 512, 512, 512, 512, 256, 128, 64)
"""Of the features at 4, 8, 16, ... 512 px."""
LEAK = 0.2


class State(NamedTuple):
    """Between two layers. After the last one, the channels are the wavelet bands of RGB: LL, LH, HL, HH."""

    features: Tensor


class MappingNetwork(nn.ModuleList):
    """z (N, W) -> w (N, W): StyleGAN2's, with its gains in the weights."""

    def __init__(self) -> None:
        super().__init__(nn.Linear(W_DIM, W_DIM) for _ in range(MAPPING_LAYERS))

    def forward(self, z_NW: Tensor) -> Tensor:
        x_NW = z_NW * (z_NW.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()
        for linear in self:
            x_NW = functional.leaky_relu(linear(x_NW), LEAK) * 2**0.5
        return x_NW


class Up(ModulatedLayer):
    """Style, then the inverse wavelet transform: C channels become C/4 at twice the size."""

    def __init__(self, channels: int):
        super().__init__(nn.Linear(W_DIM, channels), channels)

    def forward(self, state: State, s_NC: Tensor) -> State:
        return State(haar_sums(modulate(state.features, s_NC * 0.5)))


class DenseConv(ModulatedLayer):
    """Style, 3x3 convolution, noise, bias, leaky ReLU: the first layer, at 4 px."""

    def __init__(self, channels: int, size: int):
        super().__init__(nn.Linear(W_DIM, channels), channels)
        self.weight = nn.Parameter(torch.empty(channels, channels, 3, 3))
        self.noise = nn.Parameter(torch.empty(1, size, size))
        self.bias = nn.Parameter(torch.empty(channels))

    def forward(self, state: State, s_NC: Tensor) -> State:
        y_NCHW = frozen_conv(nchw(modulate(state.features, s_NC)), self.weight, self.bias)
        return State(nhwc(activate(y_NCHW, self.noise)))


class SeparableConv(ModulatedLayer):
    """Style, depthwise 3x3 convolution, 1x1 convolution, noise, bias, leaky ReLU."""

    def __init__(self, channels_in: int, channels_out: int, size: int):
        super().__init__(nn.Linear(W_DIM, channels_in), channels_in)
        self.depthwise = nn.Parameter(torch.empty(channels_in, 1, 3, 3))
        self.pointwise = nn.Parameter(torch.empty(channels_out, channels_in))
        self.noise = nn.Parameter(torch.empty(1, size, size))
        self.bias = nn.Parameter(torch.empty(channels_out))

    def forward(self, state: State, s_NC: Tensor) -> State:
        if torch.compiler.is_compiling():
            x_NHWC = nhwc(frozen_conv(nchw(state.features), self.depthwise))
            y_NHWC = modulated_pointwise(x_NHWC, self.pointwise, s_NC) + (self.noise[..., None] + self.bias)
            return State(functional.leaky_relu(y_NHWC, LEAK))
        x_NCHW = nchw(modulate(state.features, s_NC))
        x_NCHW = frozen_conv(x_NCHW, self.depthwise)
        y_NCHW = frozen_conv(x_NCHW, self.pointwise, self.bias)
        return State(nhwc(activate(y_NCHW, self.noise)))


class ToImage(ModulatedLayer):
    """Style, then a 1x1 convolution to the wavelet bands of RGB."""

    def __init__(self, channels: int):
        super().__init__(nn.Linear(W_DIM, channels), channels)
        self.weight = nn.Parameter(torch.empty(12, channels))
        self.bias = nn.Parameter(torch.empty(12))

    def forward(self, state: State, s_NC: Tensor) -> State:
        if torch.compiler.is_compiling():
            return State(modulated_pointwise(state.features, self.weight, s_NC) + self.bias)
        return State(nhwc(frozen_conv(nchw(modulate(state.features, s_NC)), self.weight, self.bias)))


def modulate(x_NHWC: Tensor, s_NC: Tensor) -> Tensor:
    return x_NHWC * s_NC[:, None, None].to(x_NHWC.dtype)


def activate(y_NCHW: Tensor, noise: Tensor) -> Tensor:
    """Noise and leaky ReLU, in place: these features are large."""
    return functional.leaky_relu_(y_NCHW.add_(noise), LEAK)


def nchw(x_NHWC: Tensor) -> Tensor:
    """A view with the channels where PyTorch expects them; the memory stays channels-last."""
    return x_NHWC.permute(0, 3, 1, 2)


def nhwc(x_NCHW: Tensor) -> Tensor:
    return x_NCHW.permute(0, 2, 3, 1)


class Block(nn.Module):
    """Twice the size."""

    def __init__(self, channels_in: int, channels_out: int, size: int):
        super().__init__()
        self.up = Up(channels_in)
        self.conv1 = SeparableConv(channels_in // 4, channels_out, size)
        self.conv2 = SeparableConv(channels_out, channels_out, size)


class Synthesis(nn.Module):
    """The parameters of all layers, as the state dict names them."""

    def __init__(self) -> None:
        super().__init__()
        self.const = nn.Parameter(torch.empty(CHANNELS[0], 4, 4))
        self.conv1 = DenseConv(CHANNELS[0], 4)
        self.blocks = nn.ModuleList(Block(*channels, 8 << i) for i, channels in enumerate(pairwise(CHANNELS)))
        self.to_image = ToImage(CHANNELS[-1])

    def layers(self) -> dict[str, ModulatedLayer]:
        """The modulated layers by name, in the order in which they run."""
        return {name: layer for name, layer in self.named_modules() if isinstance(layer, ModulatedLayer)}


class MobileStyleGAN(Generator):
    """23 modulated layers, each with its own row of w+, and 6752 style channels; images of 1024, 512 and 256 px.

    The halved LL band is the 2x2 mean of the 1024 px image: that is the image of 512 px, and the last inverse transform
    is left out. 256 px are one more mean.

    Args:
        name: as in the registry.
        tensors: `mapping.*` and `synthesis.*`, as `pipeline.models.zoo.formats.mobilestylegan` names them.
        w_avg: (512,) mean of w.
        backend: how the layers are run.

    Raises:
        ModelFileError: a tensor is missing, unknown or of another shape.
    """

    z_dim = W_DIM
    w_dim = W_DIM
    resolution = 1024
    sizes = (1024, 512, 256)

    def __init__(self, name: str, tensors: Mapping[str, Tensor], w_avg: Tensor, backend: Backend):
        super().__init__(name, fingerprint(ARCHITECTURE, tensors, w_avg), backend)
        self.mapping = MappingNetwork()
        self.synthesis = Synthesis()
        layers = self.synthesis.layers()
        self.num_ws = len(layers)
        self.load_weights(tensors, w_avg, layers, range(self.num_ws))

    @property
    def stylegan2_rows(self) -> tuple[int, ...]:
        """A block's up-sampling and first convolution are together what StyleGAN2's conv0 is."""
        blocks = range(len(CHANNELS) - 1)
        of_blocks = (row for block in blocks for row in (2 * block + 1, 2 * block + 1, 2 * block + 2))
        return (0, *of_blocks, 2 * len(blocks) + 1)

    def start(self, rows: int) -> State:
        return State(self.synthesis.get_parameter("const").permute(1, 2, 0).expand(rows, -1, -1, -1))

    def _channels_first(self, state: State) -> Tensor:
        return nchw(state.features)

    def image(self, state: State, size: int | None = None) -> Tensor:
        size = self.check_size(size)
        bands = state.features.float() if state.features.dtype == torch.bfloat16 else state.features
        if bands.shape[1:] != (512, 512, 12):
            raise SpecError(f"an image needs the state after all {len(self.style_layers)} layers")
        if size == 1024:
            return haar_inverse(bands).permute(0, 3, 1, 2)
        x_N3HW = bands[..., :3].permute(0, 3, 1, 2) * 0.5
        return x_N3HW if size == 512 else functional.avg_pool2d(x_N3HW, 2)
