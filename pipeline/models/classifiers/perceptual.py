"""A perceptual distance and its trunks, trained on ImageNet and made tolerant to shifts: stlpips-vgg and stlpips-alex.

Where a trunk halves its features, it steps by one pixel, and a binomial blur steps by two, with two pixels of
reflection on each side (Ghildyal and Liu, ECCV 2022; the blur is Zhang's, ICML 2019), so that they are one pixel wider
than half.

Shapes: N rows, C channels of a stage, h and w its pixels.
"""

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, max_pool2d, normalize, pad, relu

from pipeline.models.classifiers.crops import Crop
from pipeline.models.classifiers.networks import Networks

STAGES = ((0, 2), (6, 8), (12, 14, 16), (20, 22, 24), (28, 30, 32))
"""Of each stage of VGG16, the numbers of its convolutions in the file."""
ALEX = ("1.0", "2.5", "3.9", "4.11", "5.13")
"""The convolution of each stage of AlexNet, in the file."""
PADDING = (2, 2, 1, 1, 1)
"""Of these."""
Trunk = Literal["alex", "vgg"]
NETWORKS: Mapping[Trunk, str] = {"alex": "stlpips-alex", "vgg": "stlpips-vgg"}
DISTANCE_SIZE = 256
"""Width and height of the pictures that the distance is of; smaller ones stay as they are."""


class Vgg16(nn.Module):
    """Features of pictures after each of the first `stages` stages. Differentiable; its weights are buffers."""

    shift: Tensor
    scale: Tensor
    blur: Tensor

    def __init__(self, tensors: Mapping[str, Tensor], stages: int = len(STAGES)) -> None:
        super().__init__()
        self.stages = stages
        self.register_buffer("shift", tensors["scaling_layer.shift"])
        self.register_buffer("scale", tensors["scaling_layer.scale"])
        self._convolutions: list[list[str]] = []
        for stage, numbers in enumerate(STAGES[:stages], start=1):
            self._convolutions.append([f"{stage}_{number}" for number in numbers])
            for number in numbers:
                weight = tensors[f"net.slice{stage}.{number}.weight"].contiguous(memory_format=torch.channels_last)
                self.register_buffer(f"weight_{stage}_{number}", weight)
                self.register_buffer(f"bias_{stage}_{number}", tensors[f"net.slice{stage}.{number}.bias"])
        self.register_buffer("blur", binomial())

    def forward(self, x_N3HW: Tensor) -> list[Tensor]:
        """(N, 3, H, W) in [-1, 1] -> (N, C, h, w) of each stage, after its last ReLU."""
        features = ((x_N3HW - self.shift) / self.scale).contiguous(memory_format=torch.channels_last)
        found = []
        for stage, names in enumerate(self._convolutions):
            if stage > 0:
                features = halved(max_pool2d(features, 2, stride=1), self.blur)
            for name in names:
                weight, bias = self.get_buffer(f"weight_{name}"), self.get_buffer(f"bias_{name}")
                features = relu(conv2d(features, weight, bias, padding=1))
            found.append(features)
        return found


class AlexNet(nn.Module):
    """Features of pictures after each of the five stages; its weights are buffers."""

    shift: Tensor
    scale: Tensor
    blur: Tensor

    def __init__(self, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.register_buffer("shift", tensors["scaling_layer.shift"])
        self.register_buffer("scale", tensors["scaling_layer.scale"])
        for stage, name in enumerate(ALEX):
            self.register_buffer(f"weight_{stage}", tensors[f"net.slice{name}.weight"])
            self.register_buffer(f"bias_{stage}", tensors[f"net.slice{name}.bias"])
        self.register_buffer("blur", binomial())

    def forward(self, x_N3HW: Tensor) -> list[Tensor]:
        """(N, 3, H, W) in [-1, 1] -> (N, C, h, w) of each stage, after its ReLU."""
        features, found = (x_N3HW - self.shift) / self.scale, []
        for stage, padding in enumerate(PADDING):
            if stage in (1, 2):
                features = halved(max_pool2d(features, 3, stride=1), self.blur)
            weight, bias = self.get_buffer(f"weight_{stage}"), self.get_buffer(f"bias_{stage}")
            features = conv2d(features, weight, bias, padding=padding)
            features = relu(halved(features, self.blur) if stage == 0 else features)
            found.append(features)
        return found


class PerceptualDistance(nn.Module):
    """How different two pictures look: stlpips-alex or stlpips-vgg at 256 px (LPIPS, Zhang et al., CVPR 2018, Eq. 1).

    trunk: of which network the features are. name: of that network. fingerprint: digest of its weights.
    """

    NETWORK = NETWORKS["alex"]

    def __init__(self, networks: Networks, trunk: Trunk = "alex") -> None:
        super().__init__()
        self.name = NETWORKS[trunk]
        tensors = networks.tensors(self.name)
        self.trunk = AlexNet(tensors) if trunk == "alex" else Vgg16(tensors)
        for stage in range(len(ALEX)):
            self.register_buffer(f"linear_{stage}", tensors[f"lin{stage}.model.1.weight"])
        self.fingerprint = networks.digests[self.name]

    def forward(self, x_N3HW: Tensor) -> list[Tensor]:
        """(N, 3, H, W) in [-1, 1] -> what `between` compares: features of each stage, of length 1 at each place."""
        size = min(DISTANCE_SIZE, *x_N3HW.shape[2:])
        small = x_N3HW if x_N3HW.shape[2:] == (size, size) else Crop(0.0, 0.0, 1.0, 1.0, size, size)(x_N3HW)
        return [normalize(features, dim=1, eps=1e-10) for features in self.trunk(small)]

    def between(self, these: list[Tensor], others: list[Tensor]) -> Tensor:
        """(N,): the weighted squared difference of the features, mean over places and sum over stages; 0 if equal."""
        return torch.stack([found.mean(dim=(1, 2, 3)) for found in self.maps(these, others)]).sum(0)

    def maps(self, these: list[Tensor], others: list[Tensor]) -> list[Tensor]:
        """Of each stage (N, 1, h, w), of which `between` takes the means."""
        return [
            conv2d((one - other).square(), self.get_buffer(f"linear_{stage}"))
            for stage, (one, other) in enumerate(zip(these, others, strict=True))
        ]


def load_distance(device: str | torch.device = "cpu", trunk: Trunk = "alex") -> PerceptualDistance:
    """The distance on a device. Raises ModelFileError where its file has not been pulled, or is damaged."""
    return PerceptualDistance(Networks(device), trunk).to(device).eval()


def binomial() -> Tensor:
    """(1, 1, 3, 3): the blur."""
    taps = torch.tensor([1.0, 2.0, 1.0]) / 4
    return taps.outer(taps).view(1, 1, 3, 3)


def halved(features_NChw: Tensor, blur: Tensor) -> Tensor:
    """Every second pixel of blurred features with two pixels of reflection on each side."""
    channels = features_NChw.shape[1]
    wide = pad(features_NChw, (2, 2, 2, 2), mode="reflect")
    return conv2d(wide, blur.expand(channels, 1, 3, 3), stride=2, groups=channels)
