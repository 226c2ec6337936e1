"""tfjs graph models: `model.json` (a list of TensorFlow nodes, and a manifest of weights) beside shards of raw values.

The program takes and returns pictures as NCHW, like all of ours; inside, the file's NHWC tensors are views of
channels-last ones, so no value is moved. Which operators are known: `tfjs_operators.py`.
"""

import json
from collections.abc import Mapping
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.errors import ModelFileError
from pipeline.models.program import Program
from pipeline.models.tracing import trace
from pipeline.models.zoo.formats import tfjs_operators
from pipeline.models.zoo.formats.tfjs_graph import fold, needed, own_outputs, source

_DTYPES = {"float32": "<f4", "float16": "<f2", "int32": "<i4", "bool": "?", "uint8": "u1", "uint16": "<u2"}


def read(
    files: Mapping[str, bytes],
    outputs: Mapping[str, str] | None = None,
    name: str | None = None,
    *,
    input_hw: tuple[int, int] | None = None,
) -> Program:
    """The program of a graph model.

    files: the one `.json` and its shards, by file name (folders before the name are ignored).
    outputs: our name -> the graph's node; None takes the file's own outputs, by their names.
    name: what messages call it; default the name of the `.json`.
    input_hw: height and width of the picture where the file leaves them open.

    Raises ModelFileError, naming the file, if it is truncated, incomplete, not of this format, or uses an unknown node.
    """
    files = {path.rsplit("/", 1)[-1]: content for path, content in files.items()}
    models = [path for path in files if path.endswith(".json")]
    if len(models) != 1:
        raise ModelFileError(f"{name or 'tfjs model'}: expected one .json file, found {', '.join(models) or 'none'}")
    name = name or models[0]
    try:
        model = json.loads(files[models[0]])
        nodes = {node["name"]: node for node in model["modelTopology"]["node"]}
        manifest = model["weightsManifest"]
    except (ValueError, KeyError, TypeError) as error:
        raise ModelFileError(f"{name}: not a tfjs graph model: {type(error).__name__} at {error}") from error
    weights = _weights(manifest, files, name)
    outputs = outputs or own_outputs(nodes)
    nodes = needed(nodes, outputs, name)
    weights = {node: values for node, values in weights.items() if nodes.get(node, {}).get("op") == "Const"}
    fold(nodes, weights, outputs)
    network = _Network(needed(nodes, outputs, name), weights, outputs, name)
    shape = network.input_shape(input_hw)
    return trace(network, torch.zeros(2, *shape), list(outputs), name)


def _weights(manifest: list[dict], files: Mapping[str, bytes], name: str) -> dict[str, np.ndarray]:
    """Every weight of the manifest, dequantised."""
    weights = {}
    for group in manifest:
        if missing := [path for path in group["paths"] if path not in files]:
            raise ModelFileError(f"{name}: shard {', '.join(missing)} is missing")
        content = b"".join(files[path] for path in group["paths"])
        at = 0
        for entry in group["weights"]:
            stored = entry.get("quantization", {}).get("dtype", entry["dtype"])
            if stored not in _DTYPES:
                raise ModelFileError(f"{name}: weight '{entry['name']}' is of type {stored}, which is not known here")
            dtype = np.dtype(_DTYPES[stored])
            count = prod(entry["shape"])
            if at + count * dtype.itemsize > len(content):
                raise ModelFileError(
                    f"{name}: shards {', '.join(group['paths'])} are truncated: {len(content)} bytes end in weight "
                    f"'{entry['name']}'; fetch the file again"
                )
            values = np.frombuffer(content, dtype, count, at).reshape(entry["shape"])
            weights[entry["name"]] = _dequantised(values, entry)
            at += count * dtype.itemsize
        if at != len(content):
            raise ModelFileError(
                f"{name}: shards {', '.join(group['paths'])} hold {len(content)} bytes, their manifest describes {at}"
            )
    return weights


def _dequantised(values: np.ndarray, entry: dict) -> np.ndarray:
    quantization = entry.get("quantization", {})
    if "scale" in quantization:
        values = values.astype(np.float32) * np.float32(quantization["scale"]) + np.float32(quantization.get("min", 0))
    return values.astype(np.dtype(_DTYPES[entry["dtype"]]))


class _Network(nn.Module):
    """The graph as a module, to be traced once. Its nodes come inputs first."""

    def __init__(
        self, nodes: Mapping[str, dict], weights: Mapping[str, np.ndarray], outputs: Mapping[str, str], name: str
    ):
        super().__init__()
        self.file = name
        self.outputs = outputs
        self.nodes = nodes
        self.constants: dict[str, Any] = {}
        self.weights = nn.Module()
        for node, content in nodes.items():
            if content["op"] == "Const":
                if node not in weights:
                    raise ModelFileError(f"{name}: the manifest has no weight for the constant '{node}'")
                self._add_constant(node, weights[node])
            elif content["op"] not in tfjs_operators.KNOWN and content["op"] != "Placeholder":
                raise ModelFileError(f"{name}: node '{node}' has operator {content['op']}, which is not known here")

    def _add_constant(self, node: str, values: np.ndarray) -> None:
        # Integers are shapes and axes, single numbers are bounds: both are part of the graph, not tensors beside it.
        if values.dtype.kind in "iub" or values.ndim == 0:
            self.constants[node] = values.tolist()
        else:
            self.constants[node] = torch.from_numpy(values.astype(np.float32))
            self.weights.register_buffer(_buffer(node), self.constants[node])

    def input_shape(self, input_hw: tuple[int, int] | None) -> tuple[int, int, int]:
        """(C, H, W) of the picture that the graph takes."""
        entrances = [node for node in self.nodes.values() if node["op"] == "Placeholder"]
        if len(entrances) != 1:
            raise ModelFileError(f"{self.file}: expected a graph with one placeholder, found {len(entrances)}")
        dims = entrances[0].get("attr", {}).get("shape", {}).get("shape", {}).get("dim", [])
        sizes = [int(d["size"]) for d in dims]
        if len(sizes) != 4 or sizes[3] < 1:
            raise ModelFileError(f"{self.file}: expected a placeholder of shape (N, H, W, C), found {tuple(sizes)}")
        hw = (sizes[1], sizes[2])
        if -1 in hw and input_hw is None:
            raise ModelFileError(f"{self.file}: the graph leaves height and width open; say which with input_hw")
        if input_hw is not None and any(own not in (-1, asked) for own, asked in zip(hw, input_hw, strict=True)):
            raise ModelFileError(
                f"{self.file}: the graph takes pictures of {hw[0]}x{hw[1]}, not {input_hw[0]}x{input_hw[1]}"
            )
        return (sizes[3], *(input_hw or hw))

    def forward(self, x_NCHW: Tensor) -> tuple[Tensor, ...]:
        values: dict[str, Any] = {}
        for name, node in self.nodes.items():
            if node["op"] == "Placeholder":
                values[name] = x_NCHW.permute(0, 2, 3, 1)
            elif node["op"] == "Const":
                values[name] = getattr(self.weights, _buffer(name), self.constants[name])
            else:
                inputs = [values[source(i)] for i in node.get("input", []) if not i.startswith("^")]
                try:
                    values[name] = tfjs_operators.KNOWN[node["op"]](tfjs_operators.Attributes(node), *inputs)
                except Exception as error:  # shapes that do not go together are torch's errors, of any type
                    reason = str(error).partition("\n")[0]
                    raise ModelFileError(f"{self.file}: node '{node['name']}' ({node['op']}): {reason}") from error
        return tuple(_nchw(values[source(node)]) for node in self.outputs.values())


def _nchw(value: Tensor) -> Tensor:
    return value.permute(0, 3, 1, 2) if value.dim() == 4 else value


def _buffer(node: str) -> str:
    """TensorFlow's name of a node's tensor, as PyTorch takes it; never one of nn.Module's own attributes."""
    return node.replace(".", "_") + ":0"
