"""The VGG16 trunk against layers put together one by one, on random weights."""

import pytest
import torch
from torch import nn

from pipeline.models import zoo
from pipeline.models.classifiers.perceptual import STAGES, Vgg16

CHANNELS = ((3, 4, 4), (4, 6, 6), (6, 8, 8, 8), (8, 9, 9, 9), (9, 9, 9, 9))
BINOMIAL = torch.tensor([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]) / 16


def random_tensors() -> dict[str, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    tensors = {
        "scaling_layer.shift": torch.tensor([-0.03, -0.088, -0.188]).view(1, 3, 1, 1),
        "scaling_layer.scale": torch.tensor([0.458, 0.448, 0.45]).view(1, 3, 1, 1),
    }
    for stage, (numbers, channels) in enumerate(zip(STAGES, CHANNELS, strict=True), start=1):
        for number, inputs, outputs in zip(numbers, channels, channels[1:], strict=False):
            tensors[f"net.slice{stage}.{number}.weight"] = torch.randn(outputs, inputs, 3, 3, generator=draw) / 4
            tensors[f"net.slice{stage}.{number}.bias"] = torch.randn(outputs, generator=draw) / 4
    return tensors


def layer_by_layer(tensors: dict[str, torch.Tensor]) -> list[nn.Sequential]:
    slices = []
    for stage, numbers in enumerate(STAGES, start=1):
        layers: list[nn.Module] = []
        if stage > 1:
            channels = tensors[f"net.slice{stage}.{numbers[0]}.weight"].shape[1]
            blur = nn.Conv2d(channels, channels, 3, stride=2, groups=channels, bias=False)
            blur.weight.data = BINOMIAL.expand(channels, 1, 3, 3).clone()
            layers += [nn.MaxPool2d(2, stride=1), nn.ReflectionPad2d(2), blur]
        for number in numbers:
            weight, bias = (tensors[f"net.slice{stage}.{number}.{part}"] for part in ("weight", "bias"))
            convolution = nn.Conv2d(weight.shape[1], weight.shape[0], 3, padding=1)
            convolution.weight.data, convolution.bias.data = weight, bias
            layers += [convolution, nn.ReLU()]
        slices.append(nn.Sequential(*layers))
    return slices


def test_features_of_every_stage() -> None:
    torch.manual_seed(0)
    tensors = random_tensors()
    x = torch.rand(2, 3, 32, 40) * 2 - 1
    found = Vgg16(tensors)(x)
    features = (x - tensors["scaling_layer.shift"]) / tensors["scaling_layer.scale"]
    for i, part in enumerate(layer_by_layer(tensors)):
        features = part(features)
        torch.testing.assert_close(found[i], features, rtol=1e-4, atol=1e-5)
    assert [tuple(f.shape[2:]) for f in found] == [(32, 40), (17, 21), (9, 11), (5, 6), (3, 4)]


def test_fewer_stages_are_the_first_ones() -> None:
    tensors = random_tensors()
    x = torch.rand(1, 3, 32, 32)
    for all_of_them, first in zip(Vgg16(tensors)(x), Vgg16(tensors, stages=2)(x), strict=False):
        assert torch.equal(all_of_them, first)
    assert len(Vgg16(tensors, stages=2)(x)) == 2


@pytest.mark.weights
def test_the_file_s_own_blur_is_the_binomial() -> None:
    tensors = zoo.load("stlpips-vgg").tensors
    Vgg16(tensors)
    blurs = [value for key, value in tensors.items() if key.endswith(".filt")]
    assert len(blurs) == 4
    for blur in blurs:
        torch.testing.assert_close(blur, BINOMIAL.expand_as(blur))
