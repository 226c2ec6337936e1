"""StyleGAN2 against formulas written another way: weights modulated for each sample, zeros put between pixels."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from pipeline.models.generators.generator import ModulatedLayer
from pipeline.models.generators.stylegan2 import (
    Conv,
    Shape,
    State,
    StyleGAN2,
    Synthesis,
    ToRGB,
    rows_of,
    tiny_stylegan2,
)

SHAPE = Shape(16, channel_base=128, channel_max=12)


def randomised(layer: ModulatedLayer, seed: int) -> ModulatedLayer:
    random = torch.Generator().manual_seed(seed)
    for parameter in layer.parameters():
        parameter.data = torch.randn(parameter.shape, generator=random, dtype=torch.float64)
    layer.double().requires_grad_(False).prepare()
    return layer


def upsample(x: Tensor) -> Tensor:
    """Zeros between the pixels, then the 4x4 filter: upfirdn2d with up = 2, gain 4."""
    spread = x.new_zeros(*x.shape[:2], 2 * x.shape[2], 2 * x.shape[3])
    spread[:, :, ::2, ::2] = x
    taps = torch.tensor([1.0, 3, 3, 1], dtype=x.dtype) / 8
    kernel = (torch.outer(taps, taps) * 4).expand(x.shape[1], 1, 4, 4)
    return functional.conv2d(functional.pad(spread, (2, 1, 2, 1)), kernel, groups=x.shape[1])


@pytest.mark.parametrize("up", [False, True])
def test_conv_is_a_convolution_with_weights_modulated_for_each_sample(up: bool) -> None:
    layer = randomised(Conv(SHAPE, 12, 16, up), seed=1)
    random = torch.Generator().manual_seed(2)
    size = 8 if up else 16
    x = torch.randn(3, 12, size, size, generator=random, dtype=torch.float64)
    s = torch.randn(3, 12, generator=random, dtype=torch.float64)
    got = layer(State(x, x[:, :3]), s)
    for n in range(3):
        weight = layer.weight * s[n, None, :, None, None]
        weight = weight / (weight.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).sqrt()
        if up:  # the filter on the spread pixels is the same before a convolution as after it, but at the border
            y = functional.conv2d(upsample(x[n : n + 1]), weight.flip(2, 3), padding=1)
        else:
            y = functional.conv2d(x[n : n + 1], weight, padding=1)
        y = y + layer.noise_const * layer.noise_strength + layer.bias[:, None, None]
        expected = functional.leaky_relu(y, 0.2)[0] * 2**0.5
        inside = slice(2, -2) if up else slice(None)
        torch.testing.assert_close(got.features[n, :, inside, inside], expected[:, inside, inside])
    assert torch.equal(got.rgb, x[:, :3])


def test_to_rgb_adds_to_the_upsampled_image_without_demodulation() -> None:
    layer = randomised(ToRGB(SHAPE, 8), seed=3)
    random = torch.Generator().manual_seed(4)
    x = torch.randn(2, 8, 16, 16, generator=random, dtype=torch.float64)
    rgb = torch.randn(2, 3, 8, 8, generator=random, dtype=torch.float64)
    s = torch.randn(2, 8, generator=random, dtype=torch.float64)
    weight = layer.weight[None, :, :, 0, 0] * s[:, None, :] / 8**0.5
    expected = upsample(rgb) + torch.einsum("noc,nchw->nohw", weight, x) + layer.bias[:, None, None]
    got = layer(State(x, rgb), s)
    torch.testing.assert_close(got.rgb, expected)
    assert got.features is x


def test_the_clamp_bounds_the_features() -> None:
    shape = Shape(16, channel_base=128, channel_max=12, conv_clamp=0.5)
    layer = randomised(Conv(shape, 12, 16, up=False), seed=1)
    x = torch.randn(1, 12, 16, 16, dtype=torch.float64)
    assert layer(State(x, x[:, :3]), torch.ones(1, 12, dtype=torch.float64)).features.abs().max() == 0.5


def test_layers_rows_and_channels_at_1024_px() -> None:
    with torch.device("meta"):
        layers = Synthesis(Shape(1024)).layers()
    names, widths = list(layers), [layer.width for layer in layers.values()]
    assert names[:6] == ["b4.conv1", "b4.torgb", "b8.conv0", "b8.conv1", "b8.torgb", "b16.conv0"]
    assert names[-3:] == ["b1024.conv0", "b1024.conv1", "b1024.torgb"]
    assert widths == [512] * 15 + [256] * 3 + [128] * 3 + [64] * 3 + [32] * 2
    assert len(names) == 26
    assert sum(layer.width for name, layer in layers.items() if name.endswith("torgb")) == 3040
    rows = dict(zip(names, rows_of(layers), strict=True))
    assert (rows["b4.conv1"], rows["b4.torgb"]) == (0, 1)
    for i, resolution in enumerate((8, 16, 32, 64, 128, 256, 512, 1024), start=1):
        block = [rows[f"b{resolution}.{name}"] for name in ("conv0", "conv1", "torgb")]
        assert block == [2 * i - 1, 2 * i, 2 * i + 1]


def test_parameters_are_named_as_in_stylegan2_ada() -> None:
    names = tiny_stylegan2(seed=0).state_dict().keys()
    assert {
        "mapping.fc0.weight", "mapping.fc1.bias", "synthesis.b4.const", "synthesis.b4.conv1.affine.weight",
        "synthesis.b4.torgb.weight", "synthesis.b32.conv0.noise_const", "synthesis.b32.conv0.noise_strength",
        "synthesis.b32.conv1.bias", "synthesis.b32.torgb.affine.bias",
    } <= names  # fmt: skip


def test_the_tiny_one_makes_pictures_in_range() -> None:
    generator = tiny_stylegan2(seed=0)
    assert isinstance(generator, StyleGAN2)
    z = torch.randn(64, 512, generator=torch.Generator().manual_seed(0))
    x = generator.image(generator.run(generator.styles(generator.map(z)), generator.start(64), 0, 11))
    assert 0.2 < x.std() < 1
    assert x.std(dim=0).mean() > 0.1, "different latents give different pictures"
