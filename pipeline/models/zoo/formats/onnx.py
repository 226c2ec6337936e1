"""ONNX models, through onnx2torch; `onnx_graph.py` mends their graphs first."""

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import onnx
import onnx.version_converter
import torch
from torch import Tensor, fx

from pipeline.errors import ModelFileError
from pipeline.models.program import Program
from pipeline.models.tracing import trace
from pipeline.models.zoo.formats.onnx_graph import (
    before_probabilities,
    first_line,
    free_rows,
    input_shape,
    our_names,
    restrict,
    set_size,
)

_OLDEST_OPSET = 10  # onnx2torch cannot convert the slices of older ones


def read(
    data: bytes,
    outputs: Mapping[str, str] | None = None,
    name: str = "ONNX model",
    input_hw: tuple[int, int] | None = None,
    logits: bool = False,
) -> Program:
    """The program of an ONNX file.

    outputs: our name -> a tensor of the graph, an inner one too; None takes the graph's own outputs, by their names.
    name: what messages call the file.
    input_hw: height and width of its pictures, which a graph may leave open.
    logits: whether an output of a softmax or a sigmoid stands for what it is of: a probability saturates.

    Raises ModelFileError, naming the file, if it is truncated, not ONNX, takes something else than one tensor of known
    size with rows first, or uses a node that is not known.
    """
    model = _parse(data, name)
    if input_hw is not None:
        set_size(model.graph, input_hw, name)
    wanted = outputs or {o.name: o.name for o in model.graph.output}
    if logits:
        wanted = {ours: before_probabilities(model.graph, tensor) for ours, tensor in wanted.items()}
    restrict(model.graph, wanted, name)
    shape = input_shape(model.graph, name)
    free_rows(model, name)
    module = _converted(model, name)
    return trace(module, torch.zeros(2, *shape), our_names(model.graph), name)


def _parse(data: bytes, name: str) -> onnx.ModelProto:
    try:
        model = onnx.load_model_from_string(data)
    except Exception as error:  # protobuf's DecodeError, whose module differs between its implementations
        raise ModelFileError(f"{name}: not an ONNX file, or a truncated one ({len(data)} bytes)") from error
    try:
        onnx.checker.check_model(model)
        opset = next((o.version for o in model.opset_import if o.domain in ("", "ai.onnx")), 0)
        return model if opset >= _OLDEST_OPSET else onnx.version_converter.convert_version(model, _OLDEST_OPSET)
    except Exception as error:  # the checker's and the converter's own errors, and RuntimeError from their C++ side
        raise ModelFileError(f"{name}: {first_line(error)}") from error


def _converted(model: onnx.ModelProto, name: str) -> fx.GraphModule:
    with _torchvision_or_stand_in():
        onnx2torch = importlib.import_module("onnx2torch")
        get_converter = importlib.import_module("onnx2torch.node_converters").get_converter
    opsets = {o.domain: o.version for o in model.opset_import}
    for node in model.graph.node:
        try:
            get_converter(node.op_type, opsets[node.domain], node.domain)
        except (NotImplementedError, KeyError) as error:
            raise ModelFileError(
                f"{name}: node '{node.name or node.output[0]}' has operator {node.op_type}, which is not known here"
            ) from error
    try:
        module = onnx2torch.convert(model)
    except Exception as error:  # a converter raises what it likes on a node's attributes
        raise ModelFileError(f"{name}: {first_line(error)}") from error
    _write_out_shapes(module)
    return module


def _write_out_shapes(module: fx.GraphModule) -> None:
    """onnx2torch hands sizes over as tensors; an export needs them as numbers."""
    for node in list(module.graph.nodes):
        kind = type(module.get_submodule(node.target)).__name__ if node.op == "call_module" else ""
        sizes = [module.get_buffer(a.target).tolist() for a in node.args[1:] if getattr(a, "op", "") == "get_attr"]
        if kind in _WITH_SIZES and len(sizes) == len(node.args) - 1:
            with module.graph.inserting_before(node):
                node.replace_all_uses_with(module.graph.call_function(_WITH_SIZES[kind], (node.args[0], *sizes)))
            module.graph.erase_node(node)
    module.recompile()


def _reshape(x: Tensor, shape: list[int]) -> Tensor:
    return x.reshape(shape)


def _slice(x: Tensor, starts: list[int], ends: list[int], axes: list[int] | None = None, steps: Any = None) -> Tensor:
    for axis, start, end, step in zip(
        axes or range(len(starts)), starts, ends, steps or [1] * len(starts), strict=True
    ):
        x = torch.ops.aten.slice.Tensor(x, axis, start, end, step)
    return x


_WITH_SIZES: dict[str, Callable[..., Tensor]] = {"OnnxReshape": _reshape, "OnnxSlice": _slice}


@contextmanager
def _torchvision_or_stand_in() -> Iterator[None]:
    """For the import of onnx2torch, which imports torchvision for two nodes only (NonMaxSuppression, RoiAlign).

    Where torchvision is not installed, or was built for another torch, an empty module stands in for it meanwhile.
    """
    before = set(sys.modules)
    try:
        importlib.import_module("torchvision")
    except (ImportError, RuntimeError):
        _forget("torchvision", before)
        stand_in, ops = ModuleType("torchvision"), ModuleType("torchvision.ops")
        ops.roi_align = stand_in.ops = None  # type: ignore[attr-defined]
        sys.modules.update({"torchvision": stand_in, "torchvision.ops": ops})
        try:
            yield
        finally:
            _forget("torchvision", before)
    else:
        yield


def _forget(package: str, before: set[str]) -> None:
    for module in set(sys.modules) - before:
        if module.split(".")[0] == package:
            del sys.modules[module]
