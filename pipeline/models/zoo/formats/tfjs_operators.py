"""TensorFlow's operators, as tfjs graph models use them, in PyTorch.

Each takes the attributes and the inputs of a node. Tensors are NHWC, kernels HWIO, as in the file; shapes and single
numbers are Python values, so that a shape computed on the way is part of the trace.
"""

import base64
from collections.abc import Callable, Sequence
from math import ceil
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from pipeline.errors import ModelFileError

KNOWN: dict[str, Callable[..., Any]] = {}


class Attributes:
    """A node's attributes, decoded from protobuf's JSON."""

    def __init__(self, node: dict) -> None:
        self.raw = node.get("attr", {})

    def text(self, key: str, default: str = "") -> str:
        return _text(self.raw[key]["s"]) if key in self.raw else default

    def texts(self, key: str) -> list[str]:
        return [_text(s) for s in self.raw.get(key, {}).get("list", {}).get("s", [])]

    def number(self, key: str, default: float = 0.0) -> float:
        return float(self.raw.get(key, {}).get("f", default))

    def integer(self, key: str, default: int = 0) -> int:
        return int(self.raw.get(key, {}).get("i", default))

    def integers(self, key: str) -> list[int]:
        return [int(i) for i in self.raw.get(key, {}).get("list", {}).get("i", [])]

    def flag(self, key: str) -> bool:
        return bool(self.raw.get(key, {}).get("b", False))


def _text(value: str | list[int]) -> str:
    return base64.b64decode(value).decode() if isinstance(value, str) else bytes(value).decode()


def _operator(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        KNOWN.update(dict.fromkeys(names, function))
        return function

    return register


def _nchw(x_NHWC: Tensor) -> Tensor:
    return x_NHWC.permute(0, 3, 1, 2)


def _nhwc(x_NCHW: Tensor) -> Tensor:
    return x_NCHW.permute(0, 2, 3, 1)


def _window(
    attributes: Attributes, height: int, width: int, kernel: Sequence[int]
) -> tuple[list[int], list[int], list[int]]:
    """Strides, dilations, and the padding as functional.pad takes it (left, right, top, bottom).

    TensorFlow's SAME pads so that the output has ceil(size / stride) pixels, and puts the odd one at the end.
    """
    if attributes.text("data_format", "NHWC") != "NHWC":
        raise ModelFileError(f"data format {attributes.text('data_format')}, expected NHWC")
    strides = attributes.integers("strides")[1:3]
    dilations = (attributes.integers("dilations") or [1, 1, 1, 1])[1:3]
    padding = attributes.text("padding")
    if padding == "VALID":
        return strides, dilations, [0, 0, 0, 0]
    if padding == "EXPLICIT":
        top, bottom, left, right = attributes.integers("explicit_paddings")[2:6]
        return strides, dilations, [left, right, top, bottom]
    if padding != "SAME":
        raise ModelFileError(f"padding {padding!r}, expected SAME, VALID or EXPLICIT")
    pads = []
    for size, k, stride, dilation in zip((height, width), kernel, strides, dilations, strict=True):
        total = max((ceil(size / stride) - 1) * stride + (k - 1) * dilation + 1 - size, 0)
        pads.append([total // 2, total - total // 2])
    return strides, dilations, [*pads[1], *pads[0]]


def _convolve(attributes: Attributes, x_NHWC: Tensor, kernel_OIHW: Tensor, bias: Tensor | None, groups: int) -> Tensor:
    height, width = x_NHWC.shape[1:3]
    strides, dilations, pads = _window(attributes, height, width, kernel_OIHW.shape[2:])
    x_NCHW, symmetric = _nchw(x_NHWC), [pads[2], pads[0]]
    if pads[0] != pads[1] or pads[2] != pads[3]:
        x_NCHW, symmetric = functional.pad(x_NCHW, pads), [0, 0]
    return _nhwc(functional.conv2d(x_NCHW, kernel_OIHW, bias, strides, symmetric, dilations, groups))


def _fused(attributes: Attributes, extras: Sequence[Tensor]) -> tuple[Tensor | None, Callable[[Tensor], Tensor]]:
    """The bias and the activation that TensorFlow's optimiser fused into a node."""
    operators = attributes.texts("fused_ops")
    bias = extras[0] if operators and operators[0] == "BiasAdd" else None
    activations: dict[tuple[str, ...], Callable[[Tensor], Tensor]] = {
        (): lambda x: x,
        ("Relu",): functional.relu,
        ("Relu6",): lambda x: x.clamp(0, 6),
        ("Sigmoid",): torch.sigmoid,
        ("Elu",): functional.elu,
        ("LeakyRelu",): lambda x: functional.leaky_relu(x, attributes.number("leakyrelu_alpha", 0.2)),
        ("Prelu",): lambda x: torch.where(x >= 0, x, x * extras[-1]),
    }
    rest = tuple(o for o in operators if o != "BiasAdd")
    if rest not in activations:
        raise ModelFileError(f"fused operators {', '.join(operators)} are not known here")
    return bias, activations[rest]


@_operator("Conv2D", "_FusedConv2D")
def _conv(attributes: Attributes, x: Tensor, kernel_HWIO: Tensor, *extras: Tensor) -> Tensor:
    bias, activation = _fused(attributes, extras)
    kernel = kernel_HWIO.permute(3, 2, 0, 1)
    return activation(_convolve(attributes, x, kernel, bias, x.shape[3] // kernel.shape[1]))


@_operator("DepthwiseConv2dNative", "FusedDepthwiseConv2dNative")
def _depthwise(attributes: Attributes, x: Tensor, kernel_HWIM: Tensor, *extras: Tensor) -> Tensor:
    bias, activation = _fused(attributes, extras)
    height, width, channels, multiplier = kernel_HWIM.shape
    kernel = kernel_HWIM.permute(2, 3, 0, 1).reshape(channels * multiplier, 1, height, width)
    return activation(_convolve(attributes, x, kernel, bias, channels))


@_operator("MatMul", "_FusedMatMul")
def _matmul(attributes: Attributes, a: Tensor, b: Tensor, *extras: Tensor) -> Tensor:
    bias, activation = _fused(attributes, extras)
    a = a.transpose(0, 1) if attributes.flag("transpose_a") else a
    b = b if attributes.flag("transpose_b") else b.transpose(0, 1)
    return activation(functional.linear(a, b, bias))


@_operator("MaxPool")
def _max_pool(attributes: Attributes, x: Tensor) -> Tensor:
    kernel = attributes.integers("ksize")[1:3]
    strides, _, pads = _window(attributes, x.shape[1], x.shape[2], kernel)
    x_NCHW = functional.pad(_nchw(x), pads, value=float("-inf")) if any(pads) else _nchw(x)
    return _nhwc(functional.max_pool2d(x_NCHW, kernel, strides))


@_operator("AvgPool")
def _avg_pool(attributes: Attributes, x: Tensor) -> Tensor:
    """Padding does not count: torch's own `count_include_pad=False` knows symmetric padding only."""
    kernel = attributes.integers("ksize")[1:3]
    strides, _, pads = _window(attributes, x.shape[1], x.shape[2], kernel)
    if not any(pads):
        return _nhwc(functional.avg_pool2d(_nchw(x), kernel, strides))
    inside = functional.pad(torch.ones(1, 1, x.shape[1], x.shape[2], device=x.device), pads)
    sums = functional.avg_pool2d(functional.pad(_nchw(x), pads), kernel, strides)
    return _nhwc(sums / functional.avg_pool2d(inside, kernel, strides))


@_operator("ResizeBilinear")
def _resize_bilinear(attributes: Attributes, x: Tensor, size: Sequence[int]) -> Tensor:
    height, width = size
    if attributes.flag("half_pixel_centers"):
        return _nhwc(functional.interpolate(_nchw(x), (height, width), mode="bilinear", align_corners=False))
    if attributes.flag("align_corners"):
        return _nhwc(functional.interpolate(_nchw(x), (height, width), mode="bilinear", align_corners=True))
    # TensorFlow's first rule puts pixel i at i * in / out, which is align_corners between grids that are one longer.
    longer = functional.pad(_nchw(x), (0, 1, 0, 1), mode="replicate")
    resized = functional.interpolate(longer, (height + 1, width + 1), mode="bilinear", align_corners=True)
    return _nhwc(resized[:, :, :height, :width])


@_operator("Mean")
def _mean(attributes: Attributes, x: Tensor, axes: int | list[int]) -> Tensor:
    return x.mean(_axes(axes), keepdim=attributes.flag("keep_dims"))


@_operator("Max")
def _max(attributes: Attributes, x: Tensor, axes: int | list[int]) -> Tensor:
    return x.amax(_axes(axes), keepdim=attributes.flag("keep_dims"))


@_operator("Sum")
def _sum(attributes: Attributes, x: Tensor, axes: int | list[int]) -> Tensor:
    return x.sum(_axes(axes), keepdim=attributes.flag("keep_dims"))


def _axes(axes: int | list[int]) -> list[int]:
    return [axes] if isinstance(axes, int) else axes


@_operator("ArgMax")
def _argmax(attributes: Attributes, x: Tensor, axis: int) -> Tensor:
    return x.argmax(_axes(axis)[0])


@_operator("Softmax")
def _softmax(attributes: Attributes, x: Tensor) -> Tensor:
    return x.softmax(-1)


@_operator("ConcatV2")
def _concat(attributes: Attributes, *inputs: Any) -> Tensor:
    return torch.cat(inputs[:-1], _axes(inputs[-1])[0])


@_operator("Reshape")
def _reshape(attributes: Attributes, x: Tensor, shape: Sequence[int]) -> Tensor:
    # A leading 1 or -1 stands for the rows: files fix it to the batch that they were exported with.
    return x.reshape(x.shape[0], *shape[1:]) if shape[0] in (1, -1) and -1 not in shape[1:] else x.reshape(*shape)


@_operator("Squeeze")
def _squeeze(attributes: Attributes, x: Tensor) -> Tensor:
    # Squeezing the rows away is what a file exported with batch 1 does at its end.
    axes = [a % x.dim() for a in attributes.integers("squeeze_dims") or attributes.integers("axis")]
    return x.squeeze([a for a in axes if a != 0]) if any(axes) else x


@_operator("Shape")
def _shape(attributes: Attributes, x: Tensor) -> list[int]:
    return list(x.shape)


@_operator("StridedSlice")
def _strided_slice(attributes: Attributes, x: Any, begin: list[int], end: list[int], strides: list[int]) -> Any:
    if (
        not isinstance(x, list)
        or len(begin) != 1
        or attributes.integer("new_axis_mask")
        or attributes.integer("ellipsis_mask")
    ):
        raise ModelFileError("only slices of shapes are known here")
    if attributes.integer("shrink_axis_mask"):
        return x[begin[0]]
    first = None if attributes.integer("begin_mask") else begin[0]
    last = None if attributes.integer("end_mask") else end[0]
    return x[first : last : strides[0]]


@_operator("Pack")
def _pack(attributes: Attributes, *inputs: Any) -> Any:
    if any(isinstance(i, Tensor) for i in inputs):
        return torch.stack(inputs, attributes.integer("axis"))
    return list(inputs)


KNOWN.update(
    {
        "Add": lambda _, a, b: a + b,
        "AddV2": lambda _, a, b: a + b,
        "BiasAdd": lambda _, a, b: a + b,
        "Sub": lambda _, a, b: a - b,
        "Mul": lambda _, a, b: a * b,
        "RealDiv": lambda _, a, b: a / b,
        "Minimum": lambda _, a, b: torch.minimum(a, b) if isinstance(b, Tensor) else a.clamp(max=b),
        "Maximum": lambda _, a, b: torch.maximum(a, b) if isinstance(b, Tensor) else a.clamp(min=b),
        "ClipByValue": lambda _, x, low, high: x.clamp(low, high),
        "Relu": lambda _, x: functional.relu(x),
        "Relu6": lambda _, x: x.clamp(0, 6),
        "Sigmoid": lambda _, x: torch.sigmoid(x),
        "Tanh": lambda _, x: torch.tanh(x),
        "Exp": lambda _, x: torch.exp(x),
        "Identity": lambda _, x: x,
    }
)
