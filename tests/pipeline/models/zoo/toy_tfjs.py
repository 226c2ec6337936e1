"""A small tfjs graph model, built by hand, and what TensorFlow's operators do, written with loops."""

import base64
import json
from math import ceil

import numpy as np


def text(value):
    return {"s": base64.b64encode(value.encode()).decode()}


def texts(*values):
    return {"list": {"s": [text(v)["s"] for v in values]}}


def integers(*values):
    return {"list": {"i": [str(v) for v in values]}}


def window(padding="SAME", stride=1, kernel=None):
    """Attributes of a convolution, or of a pooling where `kernel` is given."""
    attributes = {
        "padding": text(padding),
        "strides": integers(1, stride, stride, 1),
        "data_format": text("NHWC"),
        "dilations": integers(1, 1, 1, 1),
    }
    return attributes | ({"ksize": integers(1, kernel, kernel, 1)} if kernel else {})


def placeholder(*shape):
    return node("x", "Placeholder", shape={"shape": {"dim": [{"size": str(s)} for s in shape]}})


def node(name, op, *inputs, **attributes):
    return {"name": name, "op": op, "input": list(inputs), "attr": attributes}


class GraphModel:
    """Nodes and weights, as they will lie in model.json and its shards."""

    def __init__(self, *nodes, **weights):
        self.nodes = list(nodes)
        self.weights = {name: np.asarray(value) for name, value in weights.items()}
        self.quantization = {}  # name -> (stored values, quantization entry)

    def quantise(self, name, values, **entry):
        self.quantization[name] = (values, entry)

    def files(self, shard_bytes=100):
        """{file name: bytes}: model.json and shards of at most `shard_bytes`."""
        content, entries = b"", []
        for name, value in self.weights.items():
            stored, quantization = self.quantization.get(name, (value, None))
            content += np.ascontiguousarray(stored).tobytes()
            entry = {"name": name, "shape": list(value.shape), "dtype": str(value.dtype)}
            entries.append(entry | ({"quantization": quantization} if quantization else {}))
        pieces = [content[at : at + shard_bytes] for at in range(0, len(content), shard_bytes)] or [b""]
        shards = {f"group1-shard{k + 1}of{len(pieces)}.bin": piece for k, piece in enumerate(pieces)}
        constants = [{"name": name, "op": "Const", "attr": {}} for name in self.weights]
        model = {
            "format": "graph-model",
            "modelTopology": {"node": constants + self.nodes},
            "weightsManifest": [{"paths": list(shards), "weights": entries}],
        }
        return {"model.json": json.dumps(model).encode(), **shards}


def same_padding(size, kernel, stride):
    """First input index of each window, along one axis, as TensorFlow's SAME places them."""
    total = max((ceil(size / stride) - 1) * stride + kernel - size, 0)
    return [o * stride - total // 2 for o in range(ceil(size / stride))]


def _patches(x_NHWC, kernel, stride):
    """For each output pixel: its place, and the input pixels inside the picture with their place in the kernel."""
    _, height, width, _ = x_NHWC.shape
    for i, top in enumerate(same_padding(height, kernel, stride)):
        for j, left in enumerate(same_padding(width, kernel, stride)):
            inside = [
                (x_NHWC[:, top + a, left + b], a, b)
                for a in range(kernel)
                for b in range(kernel)
                if 0 <= top + a < height and 0 <= left + b < width
            ]
            yield i, j, inside


def _empty(x_NHWC, stride, channels):
    rows, height, width, _ = x_NHWC.shape
    return np.zeros((rows, ceil(height / stride), ceil(width / stride), channels))


def convolve(x_NHWC, kernel_HWIO, stride):
    y = _empty(x_NHWC, stride, kernel_HWIO.shape[3])
    for i, j, inside in _patches(x_NHWC, kernel_HWIO.shape[0], stride):
        y[:, i, j] = sum(pixels @ kernel_HWIO[a, b] for pixels, a, b in inside)
    return y


def depthwise(x_NHWC, kernel_HWIM, stride):
    y = _empty(x_NHWC, stride, kernel_HWIM.shape[2] * kernel_HWIM.shape[3])
    for i, j, inside in _patches(x_NHWC, kernel_HWIM.shape[0], stride):
        y[:, i, j] = sum((pixels[:, :, None] * kernel_HWIM[a, b]).reshape(len(pixels), -1) for pixels, a, b in inside)
    return y


def pool(x_NHWC, kernel, stride, reduce):
    y = _empty(x_NHWC, stride, x_NHWC.shape[3])
    for i, j, inside in _patches(x_NHWC, kernel, stride):
        y[:, i, j] = reduce(np.stack([pixels for pixels, _, _ in inside]), axis=0)
    return y


def resize_bilinear(x_NHWC, height, width):
    """TensorFlow's first rule: output pixel i looks at i * in / out."""

    def along(x, axis, size):
        positions = np.arange(size) * x.shape[axis] / size
        first = np.floor(positions).astype(int)
        second = np.minimum(first + 1, x.shape[axis] - 1)
        share = (positions - first).reshape([-1 if a == axis else 1 for a in range(4)])
        return x.take(first, axis) * (1 - share) + x.take(second, axis) * share

    return along(along(x_NHWC, 1, height), 2, width)
