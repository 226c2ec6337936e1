"""The trunks and the distance against layers put together one by one, on random weights."""

import pytest
import torch
from torch import nn

from pipeline.models import zoo
from pipeline.models.classifiers.networks import Networks
from pipeline.models.classifiers.perceptual import STAGES, PerceptualDistance, Vgg16, load_distance

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


ALEX_CHANNELS = (64, 192, 384, 256, 256)


class RandomAlex(Networks):
    """In place of the file of stlpips-alex."""

    def tensors(self, name: str) -> dict[str, torch.Tensor]:
        draw = torch.Generator().manual_seed(1)
        self.digests[name] = "random"
        found = {key: value for key, value in random_tensors().items() if key.startswith("scaling")}
        kernels = {"1.0": 11, "2.5": 5, "3.9": 3, "4.11": 3, "5.13": 3}
        inputs = (3, *ALEX_CHANNELS)
        for stage, (layer, kernel) in enumerate(kernels.items()):
            shape = (inputs[stage + 1], inputs[stage], kernel, kernel)
            found[f"net.slice{layer}.weight"] = torch.randn(shape, generator=draw) / kernel / inputs[stage] ** 0.5
            found[f"net.slice{layer}.bias"] = torch.randn(shape[0], generator=draw) / 4
            found[f"lin{stage}.model.1.weight"] = torch.rand(1, shape[0], 1, 1, generator=draw)
        return found


def blur(channels: int) -> nn.Sequential:
    layer = nn.Conv2d(channels, channels, 3, stride=2, groups=channels, bias=False)
    layer.weight.data = BINOMIAL.expand(channels, 1, 3, 3).clone()
    return nn.Sequential(nn.ReflectionPad2d(2), layer)


def alex_stages(tensors: dict[str, torch.Tensor]) -> list[nn.Sequential]:
    """As the package builds its `shift_tolerant` AlexNet."""

    def convolution(name: str, padding: int) -> nn.Conv2d:
        weight = tensors[f"net.slice{name}.weight"]
        layer = nn.Conv2d(weight.shape[1], weight.shape[0], weight.shape[2], padding=padding)
        layer.weight.data, layer.bias.data = weight, tensors[f"net.slice{name}.bias"]
        return layer

    return [
        nn.Sequential(convolution("1.0", 2), blur(64), nn.ReLU()),
        nn.Sequential(nn.MaxPool2d(3, stride=1), blur(64), convolution("2.5", 2), nn.ReLU()),
        nn.Sequential(nn.MaxPool2d(3, stride=1), blur(192), convolution("3.9", 1), nn.ReLU()),
        nn.Sequential(convolution("4.11", 1), nn.ReLU()),
        nn.Sequential(convolution("5.13", 1), nn.ReLU()),
    ]


class RandomVgg(Networks):
    """In place of the file of stlpips-vgg."""

    def tensors(self, name: str) -> dict[str, torch.Tensor]:
        draw = torch.Generator().manual_seed(5)
        self.digests[name] = "random"
        linear = {
            f"lin{stage}.model.1.weight": torch.rand(1, channels[-1], 1, 1, generator=draw)
            for stage, channels in enumerate(CHANNELS)
        }
        return random_tensors() | linear


def lpips(tensors: dict[str, torch.Tensor], stages: list, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Equation 1 of LPIPS in float64: the mean over places of |w (x^ - y^)|^2, the sum over stages."""
    total = torch.zeros(len(x), dtype=torch.float64)
    seen = [((one - tensors["scaling_layer.shift"]) / tensors["scaling_layer.scale"]).double() for one in (x, y)]
    for stage, layers in enumerate(stages):
        seen = [layers.double()(one) for one in seen]
        unit = [one / one.square().sum(1, keepdim=True).sqrt().clamp_min(1e-10) for one in seen]
        weight = tensors[f"lin{stage}.model.1.weight"].double()
        total += (weight * (unit[0] - unit[1]).square()).sum(1).mean(dim=(1, 2))
    return total


@torch.no_grad()
def test_the_distance_is_that_of_its_paper() -> None:
    draw, networks = torch.Generator().manual_seed(2), RandomAlex()
    distance = PerceptualDistance(networks).eval()
    x, y = (torch.rand(2, 3, 48, 48, generator=draw) * 2 - 1 for _ in range(2))
    found = distance.between(distance(x), distance(y))
    tensors = networks.tensors("stlpips-alex")
    torch.testing.assert_close(found.double(), lpips(tensors, alex_stages(tensors), x, y), rtol=1e-4, atol=1e-6)
    assert (distance.between(distance(x), distance(x)) == 0).all()
    near = distance.between(distance(x), distance(0.9 * x + 0.1 * y))
    assert (near < found).all()


@torch.no_grad()
def test_so_is_that_of_the_other_trunk() -> None:
    draw, networks = torch.Generator().manual_seed(6), RandomVgg()
    distance = PerceptualDistance(networks, "vgg").eval()
    x, y = (torch.rand(2, 3, 48, 48, generator=draw) * 2 - 1 for _ in range(2))
    tensors = networks.tensors("stlpips-vgg")
    want = lpips(tensors, layer_by_layer(tensors), x, y)
    torch.testing.assert_close(distance.between(distance(x), distance(y)).double(), want, rtol=1e-4, atol=1e-6)
    assert distance.name == "stlpips-vgg"


@torch.no_grad()
def test_larger_pictures_are_compared_at_256_px() -> None:
    distance = PerceptualDistance(RandomAlex()).eval()
    small = torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(3)) * 2 - 1
    large = small.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    assert [tuple(one.shape[2:]) for one in distance(large)] == [tuple(one.shape[2:]) for one in distance(small)]


@pytest.mark.weights
@torch.no_grad()
def test_the_real_distance_grows_with_the_change() -> None:
    distance = load_distance()
    draw = torch.Generator().manual_seed(4)
    x, noise = (torch.rand(1, 3, 64, 64, generator=draw) * 2 - 1 for _ in range(2))
    found = [float(distance.between(distance(x), distance(x + share * noise))) for share in (0, 0.05, 0.5)]
    assert found[0] == 0 < found[1] < found[2]
