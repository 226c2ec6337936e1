"""Residual networks (He et al., CVPR 2016) from their tensors alone, under the names that torchvision gives them.

What a state dict shows decides the network: blocks of two convolutions (ResNet-18, -34) or of three (-50, -101, -152,
with the stride in the second), how many a stage, and how many logits. torchvision itself is not needed.

Shapes: N rows, C channels, h and w pixels, K logits.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d, batch_norm, conv2d, linear, max_pool2d, relu

from pipeline.errors import ModelFileError

STEM, FIRST = "conv1.weight", "layer1.0.conv1.weight"
STAGES = 4
MOST_BLOCKS = 64
"""Of a stage; ResNet-152 has 36."""
BATCH_NORM = ("weight", "bias", "running_mean", "running_var")


class ResNet(nn.Module):
    """Logits of pictures. Differentiable in them; its tensors are buffers, in evaluation as after training.

    Args:
        tensors: of the file; the network may lie under a prefix, as `module.` or `state_dict.model.`.
        name: what messages call the file.

    Raises:
        ModelFileError: the tensors are no such network, or of shapes that do not fit one another.
    """

    def __init__(self, tensors: Mapping[str, Tensor], name: str = "ResNet") -> None:
        super().__init__()
        self._name = name
        own = _without_prefix(tensors, name)
        self._blocks = [_blocks(own, stage, name) for stage in range(1, STAGES + 1)]
        self._names: dict[str, str] = {}
        self._keep("conv1.weight", own, (None, 3, None, None))
        self._keep_norm("bn1", own, self._channels("conv1.weight"))
        width = self._channels("conv1.weight")
        for stage, blocks in enumerate(self._blocks, start=1):
            for block in range(blocks):
                width = self._keep_block(f"layer{stage}.{block}", own, width)
        self._head = _head(own, name)
        self._keep(f"{self._head}.weight", own, (None, width))
        self.logits = self._channels(f"{self._head}.weight")
        """How many there are."""
        self._keep(f"{self._head}.bias", own, (self.logits,))
        if foreign := sorted(own.keys() - self._names.keys() - _counters(own)):
            raise ModelFileError(f"{name}: has {foreign[0]}, which a ResNet of torchvision does not have: {CONVERT}")

    def forward(self, x_N3hw: Tensor) -> Tensor:
        """(N, 3, h, w), as the network was trained on -> logits (N, K)."""
        x_NChw = relu(self._norm("bn1", self._conv("conv1", x_N3hw, 2, self._at("conv1.weight").shape[2] // 2)))
        x_NChw = max_pool2d(x_NChw, 3, 2, 1)
        for stage, blocks in enumerate(self._blocks, start=1):
            for block in range(blocks):
                x_NChw = self._block(f"layer{stage}.{block}", x_NChw, 2 if stage > 1 and block == 0 else 1)
        x_NC = adaptive_avg_pool2d(x_NChw, 1).flatten(1)
        return linear(x_NC, self._at(f"{self._head}.weight"), self._at(f"{self._head}.bias"))

    def _block(self, name: str, x_NChw: Tensor, stride: int) -> Tensor:
        strides = (1, stride, 1) if self._has(f"{name}.conv3.weight") else (stride, 1)
        y_NChw = x_NChw
        for place, step in enumerate(strides, start=1):
            padding = self._at(f"{name}.conv{place}.weight").shape[2] // 2
            y_NChw = self._norm(f"{name}.bn{place}", self._conv(f"{name}.conv{place}", y_NChw, step, padding))
            y_NChw = relu(y_NChw) if place < len(strides) else y_NChw
        if self._has(f"{name}.downsample.0.weight"):
            x_NChw = self._norm(f"{name}.downsample.1", self._conv(f"{name}.downsample.0", x_NChw, stride, 0))
        return relu(y_NChw + x_NChw)

    def _conv(self, name: str, x_NChw: Tensor, stride: int, padding: int) -> Tensor:
        return conv2d(x_NChw, self._at(f"{name}.weight"), None, stride, padding)

    def _norm(self, name: str, x_NChw: Tensor) -> Tensor:
        weight, bias, mean, variance = (self._at(f"{name}.{part}") for part in BATCH_NORM)
        return batch_norm(x_NChw, mean, variance, weight, bias)

    def _keep_block(self, name: str, own: Mapping[str, Tensor], width: int) -> int:
        """Keep the tensors of a block of that many channels; how many it gives."""
        before, sizes = width, (1, 3, 1) if f"{name}.conv3.weight" in own else (3, 3)
        for place, size in enumerate(sizes, start=1):
            self._keep(f"{name}.conv{place}.weight", own, (None, width, size, size))
            width = self._channels(f"{name}.conv{place}.weight")
            self._keep_norm(f"{name}.bn{place}", own, width)
        if f"{name}.downsample.0.weight" in own:
            self._keep(f"{name}.downsample.0.weight", own, (width, before, 1, 1))
            self._keep_norm(f"{name}.downsample.1", own, width)
        elif before != width:
            raise ModelFileError(f"{self._name}: {name} makes {width} channels of {before} and has no downsample")
        return width

    def _keep_norm(self, name: str, own: Mapping[str, Tensor], channels: int) -> None:
        for part in BATCH_NORM:
            self._keep(f"{name}.{part}", own, (channels,))

    def _keep(self, key: str, own: Mapping[str, Tensor], shape: tuple[int | None, ...]) -> None:
        """Keep a tensor of that shape; None is any size."""
        if key not in own:
            raise ModelFileError(f"{self._name}: has no {key}, which a ResNet of torchvision has: {CONVERT}")
        value = own[key]
        fits = value.dim() == len(shape) and all(
            is_ > 0 and wanted in (None, is_) for is_, wanted in zip(value.shape, shape, strict=True)
        )
        if not fits or not value.is_floating_point():
            wanted_shape = " x ".join("?" if size is None else str(size) for size in shape)
            found = " x ".join(map(str, value.shape)) or "one number"
            raise ModelFileError(f"{self._name}: {key} is {found}, and {wanted_shape} is what fits: {CONVERT}")
        self._names[key] = f"t{len(self._names)}"
        layout = torch.channels_last if value.dim() == 4 else torch.contiguous_format
        self.register_buffer(self._names[key], value.detach().float().contiguous(memory_format=layout))

    def _has(self, key: str) -> bool:
        return key in self._names

    def _at(self, key: str) -> Tensor:
        return self.get_buffer(self._names[key])

    def _channels(self, key: str) -> int:
        return int(self._at(key).shape[0])


CONVERT = "write the network as ONNX (torch.onnx.export) where you can run it, and name that file"
"""What is said of networks that only their own code knows."""


def is_resnet(tensors: Mapping[str, Tensor]) -> bool:
    """Whether tensors are named as a ResNet's are, under a prefix or none."""
    return bool(_prefixes(tensors))


def _prefixes(tensors: Mapping[str, Tensor]) -> list[str]:
    ending = re.compile(rf"(.*\.)?{re.escape(FIRST)}")
    found = [match[1] or "" for key in tensors if (match := ending.fullmatch(key))]
    return sorted(prefix for prefix in found if prefix + STEM in tensors)


def _without_prefix(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    prefixes = _prefixes(tensors)
    if not prefixes:
        raise ModelFileError(f"{name}: has no {FIRST}, so it is no ResNet of torchvision: {CONVERT}")
    if len(prefixes) > 1:
        several = " and ".join(prefix.rstrip(".") or "the top" for prefix in prefixes)
        raise ModelFileError(f"{name}: holds several ResNets ({several}): save the state_dict of one alone")
    return {key.removeprefix(prefixes[0]): value for key, value in tensors.items() if key.startswith(prefixes[0])}


def _blocks(own: Mapping[str, Tensor], stage: int, name: str) -> int:
    numbers = {int(found[1]) for key in own if (found := re.match(rf"layer{stage}\.(\d{{1,4}})\.", key))}
    if not numbers or numbers != set(range(len(numbers))) or len(numbers) > MOST_BLOCKS:
        raise ModelFileError(f"{name}: layer{stage} of the ResNet lacks a block: save its whole state_dict")
    return len(numbers)


def _head(own: Mapping[str, Tensor], name: str) -> str:
    """Where the last layer is: `fc`, or the one linear layer in it, as after a dropout."""
    found = [key.removesuffix(".weight") for key in own if re.fullmatch(r"fc(\.\d+)?\.weight", key)]
    if len(found) != 1:
        what = (
            f"has the layers {', '.join(found)} after its features" if found else "has no layer fc, which gives logits"
        )
        raise ModelFileError(f"{name}: {what}, and one is what fits: {CONVERT}")
    return found[0]


def _counters(own: Mapping[str, Tensor]) -> set[str]:
    return {key for key in own if key.endswith("num_batches_tracked")}
