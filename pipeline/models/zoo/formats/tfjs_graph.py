"""The nodes of a tfjs graph model: which are needed, in which order, and which can be one.

Exporters leave batch normalisations as multiplications and additions, and ReLU6 as three nodes. Each is a pass over a
whole feature map, so they are folded into the convolution before them, or into one clamp.
"""

import base64
from collections import Counter
from collections.abc import Mapping

import numpy as np

from pipeline.errors import ModelFileError

_CONVOLUTIONS = {
    "Conv2D": "_FusedConv2D",
    "_FusedConv2D": "_FusedConv2D",
    "DepthwiseConv2dNative": "FusedDepthwiseConv2dNative",
    "FusedDepthwiseConv2dNative": "FusedDepthwiseConv2dNative",
}
_BIAS_ADD = base64.b64encode(b"BiasAdd").decode()


def source(reference: str) -> str:
    """The node of an input such as `name`, `name:0` or `^name`."""
    return reference.removeprefix("^").split(":")[0]


def own_outputs(nodes: Mapping[str, dict]) -> dict[str, str]:
    """The nodes that no other takes."""
    used = {source(i) for node in nodes.values() for i in node.get("input", [])}
    return {name: name for name, node in nodes.items() if name not in used and node["op"] != "Const"}


def needed(nodes: Mapping[str, dict], outputs: Mapping[str, str], name: str) -> dict[str, dict]:
    """The nodes that the outputs need, inputs first. Raises ModelFileError, naming the file, where one is not there."""
    if absent := [node for node in outputs.values() if source(node) not in nodes]:
        raise ModelFileError(f"{name}: the graph has no node {', '.join(absent)}")
    order: dict[str, dict] = {}
    begun: set[str] = set()
    stack = [(source(node), False) for node in reversed(list(outputs.values()))]
    while stack:
        node, inputs_done = stack.pop()
        if node in order:
            continue
        if node not in nodes:
            raise ModelFileError(f"{name}: a node takes its input from '{node}', which the graph does not have")
        if inputs_done:
            order[node] = nodes[node]
            continue
        if node in begun:
            raise ModelFileError(f"{name}: node '{node}' takes its input from itself, by way of others")
        begun.add(node)
        stack.append((node, True))
        stack.extend((source(i), False) for i in nodes[node].get("input", []))
    return order


def fold(nodes: dict[str, dict], weights: dict[str, np.ndarray], outputs: Mapping[str, str]) -> None:
    """Fold, in place, what follows a convolution or a ReLU into it, where nothing else looks at what lies between.

    The folded node stands where the last one stood, and keeps the first one's name for messages.
    """
    uses = Counter([source(i) for node in nodes.values() for i in node.get("input", [])])
    uses.update(source(node) for node in outputs.values())
    for name, node in list(nodes.items()):
        if node["op"] not in ("Mul", "Add", "AddV2", "BiasAdd", "Maximum") or len(node["input"]) != 2:
            continue
        before, constant = nodes[source(node["input"][0])], weights.get(source(node["input"][1]))
        if constant is None or uses[source(node["input"][0])] != 1:
            continue
        if node["op"] == "Maximum":
            _fold_clamp(name, before, nodes, weights, uses)
        elif before["op"] in _CONVOLUTIONS and set(_fused(before)) <= {"BiasAdd"}:
            _fold_channels(name, before, constant, nodes, weights)


def _fused(node: dict) -> list[str]:
    operators = node.get("attr", {}).get("fused_ops", {}).get("list", {}).get("s", [])
    return [base64.b64decode(o).decode() if isinstance(o, str) else bytes(o).decode() for o in operators]


def _fold_channels(
    name: str, convolution: dict, constant: np.ndarray, nodes: dict[str, dict], weights: dict[str, np.ndarray]
) -> None:
    """A factor or an addend for each channel becomes part of the kernel and the bias."""
    x, kernel_name, *bias_name = (source(i) for i in convolution["input"])
    kernel = weights.get(kernel_name)
    if kernel is None or any(b not in weights for b in bias_name):
        return
    channels = kernel.shape[2] * kernel.shape[3] if "Depthwise" in convolution["op"] else kernel.shape[3]
    if constant.size != channels or constant.shape[-1] != channels:
        return
    values = constant.reshape(channels)
    bias = weights[bias_name[0]] if bias_name else np.zeros(channels, np.float32)
    if nodes[name]["op"] == "Mul":
        kernel = kernel * values.reshape(kernel.shape[2:] if "Depthwise" in convolution["op"] else channels)
        bias = bias * values
    else:
        bias = bias + values
    inputs = {f"{name}/kernel": kernel, f"{name}/bias": bias}
    weights.update(inputs)
    nodes.update({i: {"name": i, "op": "Const"} for i in inputs})
    attributes = {**convolution["attr"], "fused_ops": {"list": {"s": [_BIAS_ADD]}}}
    operator = _CONVOLUTIONS[convolution["op"]]
    nodes[name] = {"name": convolution["name"], "op": operator, "input": [x, *inputs], "attr": attributes}


def _fold_clamp(
    name: str, minimum: dict, nodes: dict[str, dict], weights: dict[str, np.ndarray], uses: Mapping[str, int]
) -> None:
    """maximum(minimum(relu(x), high), 0) is a clamp of x."""
    low = source(nodes[name]["input"][1])
    if minimum["op"] != "Minimum" or weights[low].ndim or weights[low] != 0:
        return
    relu, high = nodes[source(minimum["input"][0])], source(minimum["input"][1])
    if relu["op"] == "Relu" and uses[source(minimum["input"][0])] == 1 and high in weights and weights[high].ndim == 0:
        nodes[name] = {"name": name, "op": "ClipByValue", "input": [relu["input"][0], low, high], "attr": {}}
