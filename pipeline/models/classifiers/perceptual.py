"""stlpips-vgg: the trunk of a perceptual distance, VGG16 trained on ImageNet and made tolerant to shifts.

Max-pooling is at stride 1, then a binomial blur at stride 2 with two pixels of reflection on each side (Ghildyal and
Liu, ECCV 2022; the blur is Zhang's, ICML 2019), so every stage is one pixel wider than half of the one before.

Shapes: N rows, C channels of a stage, h and w its pixels.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, max_pool2d, pad, relu

STAGES = ((0, 2), (6, 8), (12, 14, 16), (20, 22, 24), (28, 30, 32))
"""Of each stage, the numbers of its convolutions in the file."""


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
        binomial = torch.tensor([1.0, 2.0, 1.0]) / 4
        self.register_buffer("blur", binomial.outer(binomial).view(1, 1, 3, 3))

    def forward(self, x_N3HW: Tensor) -> list[Tensor]:
        """(N, 3, H, W) in [-1, 1] -> (N, C, h, w) of each stage, after its last ReLU."""
        features = ((x_N3HW - self.shift) / self.scale).contiguous(memory_format=torch.channels_last)
        found = []
        for stage, names in enumerate(self._convolutions):
            if stage > 0:
                features = self._downsample(features)
            for name in names:
                weight, bias = self.get_buffer(f"weight_{name}"), self.get_buffer(f"bias_{name}")
                features = relu(conv2d(features, weight, bias, padding=1))
            found.append(features)
        return found

    def _downsample(self, features_NChw: Tensor) -> Tensor:
        channels = features_NChw.shape[1]
        sharp = pad(max_pool2d(features_NChw, 2, stride=1), (2, 2, 2, 2), mode="reflect")
        return conv2d(sharp, self.blur.expand(channels, 1, 3, 3), stride=2, groups=channels)
