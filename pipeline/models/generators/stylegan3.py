"""StyleGAN3-T and -R, under the parameter names of NVIDIA's stylegan3.

Karras et al., "Alias-Free Generative Adversarial Networks", 2021 (arXiv:2106.12423). Features lie on a grid that is
larger than the picture by a margin; each layer filters what its nonlinearity would alias. It adds no noise.

Shapes: N rows, W w_dim, C channels; features are (N, C, height, width).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from pipeline.models.backend import Backend
from pipeline.models.generators.filtered import down_sampled, low_pass, up_sampled
from pipeline.models.generators.generator import Generator, ModulatedLayer, fingerprint
from pipeline.models.generators.mapping import LEAK, FullyConnected, MappingNetwork, MappingShape
from pipeline.models.generators.options import Options

ARCHITECTURE = "stylegan3 1"


class State(NamedTuple):
    """Between two layers."""

    features: Tensor


class Signal(NamedTuple):
    """Features between two layers: cutoff and half width of the transition band (cycles per picture), samples per
    picture, pixels of a side with the margin, channels."""

    cutoff: float
    half_width: float
    rate: int
    size: int
    channels: int


@dataclass(frozen=True)
class Shape:
    """What fixes the network, by the names of NVIDIA's code.

    Attributes:
        resolution: pixels of a side.
        radial: whether the filters are radially symmetric, which makes a StyleGAN3-R together with a `kernel` of 1.
    """

    resolution: int
    channel_base: int
    channel_max: int
    num_layers: int
    num_critical: int
    first_cutoff: float
    first_stopband: float
    last_stopband_rel: float
    margin_size: int
    output_scale: float
    kernel: int
    filter_size: int
    lrelu_upsampling: int
    radial: bool
    conv_clamp: float | None
    mapping: MappingShape

    @classmethod
    def of(cls, options: Options) -> Shape:
        """Of `init_kwargs` in stylegan3. Raises ModelFileError."""
        options.one_of("img_channels", [3])
        clamp = options.value("synthesis.conv_clamp")
        layers, w_dim = options.whole("synthesis.num_layers", least=2, most=64), options.whole("w_dim")
        return cls(
            resolution=options.size("img_resolution"),
            channel_base=options.whole("synthesis.channel_base", most=1 << 24),
            channel_max=options.whole("synthesis.channel_max"),
            num_layers=layers,
            num_critical=options.whole("synthesis.num_critical", least=0, most=layers - 1),
            first_cutoff=options.positive("synthesis.first_cutoff"),
            first_stopband=options.positive("synthesis.first_stopband"),
            last_stopband_rel=options.positive("synthesis.last_stopband_rel"),
            margin_size=options.whole("synthesis.margin_size", least=0, most=256),
            output_scale=options.number("synthesis.output_scale"),
            kernel=options.one_of("synthesis.conv_kernel", [1, 3]),
            filter_size=options.whole("synthesis.filter_size", most=64),
            lrelu_upsampling=options.whole("synthesis.lrelu_upsampling", most=8),
            radial=options.one_of("synthesis.use_radial_filters", [True, False]),
            conv_clamp=None if clamp is None else options.number("synthesis.conv_clamp"),
            mapping=MappingShape(
                z_dim=options.whole("z_dim"),
                w_dim=w_dim,
                layers=options.whole("mapping.num_layers", most=64),
                hidden=w_dim,
                rate=options.number("mapping.lr_multiplier"),
                classes=options.whole("c_dim", least=0),
                embedded=w_dim,
            ),
        )

    def signals(self) -> list[Signal]:
        """After the input and after each layer but the input: cutoffs and stop bands rise geometrically (Sec. 3.2)."""
        last = self.resolution / 2
        signals = []
        for i in range(self.num_layers + 1):
            share = min(i / (self.num_layers - self.num_critical), 1)
            cutoff = self.first_cutoff * (last / self.first_cutoff) ** share
            stopband = self.first_stopband * (last * self.last_stopband_rel / self.first_stopband) ** share
            rate = 2 ** math.ceil(math.log2(min(stopband * 2, self.resolution)))
            is_last = i >= self.num_layers - 1
            size = self.resolution if is_last else rate + 2 * self.margin_size
            channels = 3 if i == self.num_layers else round(min(self.channel_base / 2 / cutoff, self.channel_max))
            signals.append(Signal(cutoff, max(stopband, rate / 2) - cutoff, rate, size, channels))
        return signals


class FourierInput(ModulatedLayer):
    """Fourier features, turned and shifted by the four styles, and a linear layer (Sec. 3.2 and Appendix F)."""

    transform: Tensor
    freqs: Tensor
    phases: Tensor

    def __init__(self, shape: Shape, signal: Signal):
        super().__init__(FullyConnected(shape.mapping.w_dim, 4), 4)
        self.signal = signal
        self.weight = nn.Parameter(torch.empty(signal.channels, signal.channels))
        self.register_buffer("transform", torch.empty(3, 3))
        self.register_buffer("freqs", torch.empty(signal.channels, 2))
        self.register_buffer("phases", torch.empty(signal.channels))

    def forward(self, state: State, s_N4: Tensor) -> State:
        cosine, sine, x, y = (s_N4 / s_N4[:, :2].norm(dim=1, keepdim=True)).unbind(dim=1)
        turn_N22 = torch.stack([torch.stack([cosine, -sine], dim=1), torch.stack([sine, cosine], dim=1)], dim=1)
        shift_N21 = torch.stack([x, y], dim=1)[:, :, None]
        top_N23 = turn_N22 @ (self.transform[:2] - shift_N21 * self.transform[2:])
        freqs_NC2 = self.freqs @ top_N23[:, :, :2]
        phases_NC = self.phases + (self.freqs @ top_N23[:, :, 2:]).squeeze(2)
        band = self.signal.rate / 2 - self.signal.cutoff
        amplitudes_NC = (1 - (freqs_NC2.norm(dim=2) - self.signal.cutoff) / band).clamp(0, 1)
        size = self.signal.size
        axis = (torch.arange(size, device=s_N4.device, dtype=s_N4.dtype) + 0.5 - size / 2) / self.signal.rate
        across_NC1W = (freqs_NC2[:, :, :1] * axis)[:, :, None]
        down_NCH1 = (freqs_NC2[:, :, 1:] * axis)[..., None]
        waves_NCHW = torch.sin(2 * math.pi * (across_NC1W + down_NCH1 + phases_NC[:, :, None, None]))
        waves_NCHW = (waves_NCHW * amplitudes_NC[:, :, None, None]).to(self.weight.dtype)
        return State(functional.conv2d(waves_NCHW, (self.weight / self.weight.shape[1] ** 0.5)[:, :, None, None]))


class FilteredConv(ModulatedLayer):
    """Modulated convolution, up-sampling, leaky ReLU, down-sampling; the last one makes RGB and is linear."""

    def __init__(self, shape: Shape, before: Signal, after: Signal, is_critical: bool, is_last: bool):
        super().__init__(FullyConnected(shape.mapping.w_dim, before.channels), before.channels)
        self.kernel = 1 if is_last else shape.kernel
        self.weight = nn.Parameter(torch.empty(after.channels, before.channels, self.kernel, self.kernel))
        self.bias = nn.Parameter(torch.empty(after.channels))
        self.register_buffer("magnitude_ema", torch.empty(()))
        self.is_last, self.clamp, self.size = is_last, shape.conv_clamp, after.size
        rate = max(before.rate, after.rate) * (1 if is_last else shape.lrelu_upsampling)
        self.up, self.down = rate // before.rate, rate // after.rate
        up_taps = shape.filter_size * self.up if self.up > 1 and not is_last else 1
        down_taps = shape.filter_size * self.down if self.down > 1 and not is_last else 1
        self.filters: dict[str, tuple[int, float, float, float, bool]] = {}
        """Arguments of `low_pass`."""
        if up_taps > 1:
            self.filters["up_filter"] = (up_taps, before.cutoff, 2 * before.half_width, rate, False)
        if down_taps > 1:
            radial = shape.radial and not is_critical
            self.filters["down_filter"] = (down_taps, after.cutoff, 2 * after.half_width, rate, radial)
        for name, (taps, *_, radial) in self.filters.items():
            self.register_buffer(name, torch.empty(taps, taps) if radial else torch.empty(taps))
        self.between = (after.size - 1) * self.down + down_taps
        """Pixels of a side after the up-sampling."""
        padding = self.between - (before.size + self.kernel - 1) * self.up + up_taps - 1
        self.before = (padding + self.up) // 2

    def forward(self, state: State, s_NC: Tensor) -> State:
        y = self.convolved(state.features, s_NC) + self.bias[:, None, None]
        if self.is_last:
            return State(y if self.clamp is None else y.clamp(-self.clamp, self.clamp))
        if self.up > 1:
            y = up_sampled(y, self.get_buffer("up_filter"), self.up, self.before, self.between)
        else:
            y = functional.pad(y, (self.before, self.between - y.shape[3] - self.before) * 2)
        y = functional.leaky_relu(y, LEAK) * 2**0.5
        y = y if self.clamp is None else y.clamp(-self.clamp, self.clamp)
        return State(down_sampled(y, self.get_buffer("down_filter"), self.down) if self.down > 1 else y)

    def convolved(self, x: Tensor, s_NC: Tensor) -> Tensor:
        weight: Tensor = self.weight
        gain = self.get_buffer("magnitude_ema").rsqrt()
        if self.is_last:
            x = x * (s_NC * (gain / weight.shape[1] ** 0.5))[:, :, None, None].to(x.dtype)
            return functional.conv2d(x, weight)
        weight = weight * weight.square().mean(dim=(1, 2, 3), keepdim=True).rsqrt()
        s_NC = s_NC * s_NC.square().mean(dim=1, keepdim=True).rsqrt()
        power_DC = weight.to(s_NC.dtype).square().sum(dim=(2, 3))
        demodulation_ND = (s_NC.square() @ power_DC.T + 1e-8).rsqrt()
        x = functional.conv2d(x * (s_NC * gain)[:, :, None, None].to(x.dtype), weight, padding=self.kernel - 1)
        return x * demodulation_ND[:, :, None, None].to(x.dtype)


class Synthesis(nn.Module):
    """input, L0_36_512, L1_36_512, ...: the number, pixels of a side and channels of each layer."""

    def __init__(self, shape: Shape):
        super().__init__()
        signals = shape.signals()
        self.input = FourierInput(shape, signals[0])
        for i, (before, after) in enumerate(pairwise([signals[0], *signals])):
            is_critical, is_last = i >= shape.num_layers - shape.num_critical, i == shape.num_layers
            layer = FilteredConv(shape, before, after, is_critical, is_last)
            self.add_module(f"L{i}_{after.size}_{after.channels}", layer)

    def layers(self) -> dict[str, ModulatedLayer]:
        """The modulated layers by name, in the order in which they run."""
        return {name: layer for name, layer in self.named_children() if isinstance(layer, ModulatedLayer)}


class StyleGAN3(Generator):
    """A StyleGAN3; by default it has 16 modulated layers, each with its own row of w+. The first has four styles.

    Args:
        name: as in the registry.
        shape: what fixes the network.
        tensors: `mapping.*` and `synthesis.*`, as stylegan3 names them (without `w_avg`). Filters that are missing are
            computed.
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
        self.sizes = tuple(shape.resolution >> i for i in range(int(math.log2(shape.resolution)) - 1))
        with torch.device("meta"):
            self.mapping = MappingNetwork(shape.mapping, chosen)
            self.synthesis = Synthesis(shape)
        layers = self.synthesis.layers()
        filters = {
            f"synthesis.{place}.{key}": low_pass(*arguments)
            for place, layer in layers.items()
            if isinstance(layer, FilteredConv)
            for key, arguments in layer.filters.items()
            if f"synthesis.{place}.{key}" not in tensors
        }
        self.num_ws = len(layers)
        self.load_weights({**tensors, **filters}, w_avg, layers, range(self.num_ws))

    @property
    def stylegan2_rows(self) -> tuple[int, ...]:
        """By the cutoff: the finest detail of r px is that of a cutoff of r / 2."""
        cutoffs = [signal.cutoff for signal in self.shape.signals()]
        rows = [round(2 * math.log2(cutoff / 2)) for cutoff in cutoffs]
        return (rows[0], *rows[:-1], rows[-1] + 1)

    def start(self, rows: int) -> State:
        return State(self.w_avg.new_ones(rows, 4, 1, 1))

    def _channels_first(self, state: State) -> Tensor:
        return state.features

    def image(self, state: State, size: int | None = None) -> Tensor:
        return self._pooled(state.features, size) * self.shape.output_scale
