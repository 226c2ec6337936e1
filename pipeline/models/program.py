"""A network as data: a graph of allow-listed ATen operators in JSON, beside a dict of tensors.

Networks that come as ONNX or tfjs files are converted to this form once (`trace`), kept as safetensors with the graph
beside them, and run from there (`Program`) with torch alone. Loading a program executes nothing of the file: its
operators are looked up in `OPERATORS`, by name.

Shapes: N rows (always free), C channels, H height, W width.
"""

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn

from pipeline.errors import ModelFileError

VERSION = 1

# What such networks are made of; a file that asks for anything else is refused.
OPERATORS = frozenset(
    f"aten.{name}"
    for name in """
    conv2d.default batch_norm.default linear.default addmm.default mm.default matmul.default
    relu.default prelu.default leaky_relu.default sigmoid.default tanh.default softmax.int exp.default
    hardtanh.default clamp.default clamp_min.default clamp_max.default minimum.default maximum.default
    add.Tensor sub.Tensor rsub.Scalar mul.Tensor div.Tensor neg.default pow.Tensor_Scalar sqrt.default
    max_pool2d.default avg_pool2d.default adaptive_avg_pool2d.default adaptive_max_pool2d.default
    mean.dim mean.default sum.dim_IntList amax.default amin.default argmax.default
    view.default reshape.default flatten.using_ints permute.default transpose.int squeeze.dim squeeze.dims
    unsqueeze.default expand.default cat.default stack.default slice.Tensor select.int split.Tensor
    split_with_sizes.default chunk.default index_select.default
    pad.default constant_pad_nd.default replicate_pad2d.default
    upsample_bilinear2d.default upsample_bilinear2d.vec upsample_nearest2d.default upsample_nearest2d.vec
    to.dtype contiguous.default clone.default arange.default arange.start arange.start_step full.default
    sym_size.int
    """.split()
) | {"operator.add", "operator.sub", "operator.mul", "operator.floordiv", "operator.getitem"}

# Left out of a graph at conversion: in evaluation they hand on their first argument.
_IDENTITIES = frozenset(
    f"aten.{name}"
    for name in "dropout.default dropout_.default feature_dropout.default alias.default detach.default detach_.default "
    "lift_fresh_copy.default".split()
)
_DTYPES = {
    str(d).removeprefix("torch."): d for d in (torch.float32, torch.float16, torch.int64, torch.int32, torch.bool)
}
_MEMORY_FORMATS = {
    str(f).removeprefix("torch."): f for f in (torch.contiguous_format, torch.channels_last, torch.preserve_format)
}


class Program(nn.Module):
    """A network that runs a graph of ATen operators; `forward(x_NCHW) -> {output name: tensor}`.

    Differentiable with respect to its input; its tensors are buffers, which are moved by `.to(device)` and never trained.
    Convolutions run channels-last. One `torch.fx.GraphModule` inside: intermediates are freed after their last use, and
    `torch.compile(program)` sees plain operators.
    """

    def __init__(
        self, graph: dict, tensors: Mapping[str, Tensor], name: str, dtype: torch.dtype = torch.float32
    ) -> None:
        super().__init__()
        self.name = name
        self._graph = graph
        self._attributes: dict[str, str] = {}  # tensor's name in the file -> attribute of the body
        self.body = _Builder(graph, tensors, name, dtype, self._attributes).build()

    @classmethod
    def from_parts(
        cls, graph: dict, tensors: Mapping[str, Tensor], name: str, dtype: torch.dtype = torch.float32
    ) -> "Program":
        """A program from its two parts. Floating-point tensors are promoted to `dtype`.

        Raises ModelFileError, naming `name`, for an operator that is not in `OPERATORS`, a tensor that is not there, or a
        graph that is not of this form.
        """
        return cls(graph, tensors, name, dtype)

    def parts(self) -> tuple[dict, dict[str, Tensor]]:
        """The graph (JSON-able) and its tensors; float32 tensors are float16 where that loses nothing."""
        return self._graph, {key: _narrowed(self.body.get_buffer(at)) for key, at in self._attributes.items()}

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one row of the input: (C, H, W)."""
        return tuple(self._graph["input"]["shape"])

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the outputs."""
        return tuple(self._graph["outputs"])

    def select(self, *outputs: str) -> "Program":
        """The same network without what only other outputs need."""
        if unknown := [o for o in outputs if o not in self._graph["outputs"]]:
            raise ModelFileError(f"{self.name} has no output {', '.join(unknown)}; it has {', '.join(self.outputs)}")
        graph = {**self._graph, "outputs": {o: self._graph["outputs"][o] for o in outputs}}
        graph["nodes"] = _reachable(graph["nodes"], graph["outputs"])
        tensors = {key: self.body.get_buffer(at) for key, at in self._attributes.items() if key in _tensor_names(graph)}
        dtype = next((t.dtype for t in tensors.values() if t.is_floating_point()), torch.float32)
        return Program(graph, tensors, self.name, dtype)

    def forward(self, x_NCHW: Tensor) -> dict[str, Tensor]:
        if tuple(x_NCHW.shape[1:]) != self.input_shape:
            raise ValueError(
                f"{self.name} takes (N, {', '.join(map(str, self.input_shape))}), not {tuple(x_NCHW.shape)}"
            )
        if x_NCHW.dim() == 4:
            x_NCHW = x_NCHW.contiguous(memory_format=torch.channels_last)
        return dict(zip(self._graph["outputs"], self.body(x_NCHW), strict=True))


def trace(module: nn.Module, example: Tensor, outputs: Sequence[str], name: str = "network") -> Program:
    """The program of a module that takes one tensor with rows first and returns a tensor, or a tuple in the order of `outputs`.

    Raises ModelFileError, naming `name`, if the module fixes the number of rows, or needs an operator that is not allowed.
    """
    module = module.eval()
    rows = example[:1].expand(2, *example.shape[1:]).contiguous()
    try:
        exported = torch.export.export(module, (rows,), dynamic_shapes=(({0: torch.export.Dim("rows", max=65536)}),))
    except Exception as error:  # torch.export has no error type of its own; whatever it meets is a graph we cannot take
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ModelFileError(f"{name}: cannot be converted for a free number of rows: {reason}") from error
    return _Encoder(exported, name).program(outputs)


class _Encoder:
    """torch.export's graph to ours."""

    def __init__(self, exported: Any, name: str) -> None:
        signature = exported.graph_signature
        targets = {
            **signature.inputs_to_parameters,
            **signature.inputs_to_buffers,
            **signature.inputs_to_lifted_tensor_constants,
        }
        values = {**exported.constants, **exported.state_dict}
        self.name = name
        self.graph = exported.graph
        self.tensor_of = {placeholder: target for placeholder, target in targets.items()}
        self.values = {target: values[target].detach() for target in targets.values()}
        self.same: dict[str, Any] = {}  # a node left out -> what stands for it

    def program(self, outputs: Sequence[str]) -> Program:
        nodes: list[dict] = []
        for node in self.graph.nodes:
            if node.op == "placeholder" and node.name not in self.tensor_of:
                entrance = {"name": node.name, "shape": [int(d) for d in node.meta["val"].shape[1:]]}
            elif node.op == "call_function":
                op = _operator_name(node.target)
                if op in _IDENTITIES:
                    self.same[node.name] = self.encode(node.args[0])
                else:
                    args = [self.encode(a) for a in node.args]
                    kwargs = {k: self.encode(v) for k, v in node.kwargs.items() if k not in ("layout", "pin_memory")}
                    nodes.append({"name": node.name, "op": op, "args": args, "kwargs": kwargs})
            elif node.op == "output":
                results = [self.encode(a) for a in node.args[0]]
        graph = {
            "version": VERSION,
            "input": entrance,
            "nodes": nodes,
            "outputs": dict(zip(outputs, results, strict=True)),
        }
        graph["nodes"] = _reachable(nodes, graph["outputs"])  # drops the assertions that export adds
        used = _tensor_names(graph)
        return Program(graph, {key: value for key, value in self.values.items() if key in used}, self.name)

    def encode(self, value: Any) -> Any:
        if isinstance(value, fx.Node):
            if value.name in self.same:
                return self.same[value.name]
            return {"tensor": self.tensor_of[value.name]} if value.name in self.tensor_of else {"node": value.name}
        if isinstance(value, list | tuple):
            return [self.encode(v) for v in value]
        if isinstance(value, torch.dtype):
            return {"dtype": str(value).removeprefix("torch.")}
        if isinstance(value, torch.memory_format):
            return {"memory_format": str(value).removeprefix("torch.")}
        if isinstance(value, torch.device):
            return {"device": "input"}
        if isinstance(value, float) and value - value != 0:  # JSON has no infinity
            return {"float": str(value)}
        if value is None or isinstance(value, bool | int | float | str):
            return value
        raise ModelFileError(f"{self.name}: cannot write down an argument of type {type(value).__name__}")


class _Builder:
    """Our graph to a torch.fx.GraphModule."""

    def __init__(
        self, graph: dict, tensors: Mapping[str, Tensor], name: str, dtype: torch.dtype, attributes: dict[str, str]
    ) -> None:
        self.source, self.tensors, self.name, self.dtype, self.attributes = graph, tensors, name, dtype, attributes
        self.root = nn.Module()
        self.graph = fx.Graph()
        self.nodes: dict[str, fx.Node] = {}

    def build(self) -> fx.GraphModule:
        try:
            if self.source["version"] != VERSION:
                raise ModelFileError(
                    f"{self.name}: graph of version {self.source['version']}, this release reads {VERSION}"
                )
            self.entrance = self.graph.placeholder("x")
            self.nodes[self.source["input"]["name"]] = self.entrance
            kernels = _kernel_names(self.source)
            for key in sorted(_tensor_names(self.source)):
                self.add_tensor(key, key in kernels)
            for node in self.source["nodes"]:
                target = self.resolve(node["op"], node["name"])
                args = tuple(self.decode(a) for a in node["args"])
                kwargs = {k: self.decode(v) for k, v in node["kwargs"].items()}
                self.nodes[node["name"]] = self.graph.call_function(target, args, kwargs)
            self.graph.output(tuple(self.decode(v) for v in self.source["outputs"].values()))
        except (KeyError, TypeError, AttributeError) as error:
            raise ModelFileError(f"{self.name}: damaged program graph, at {error}") from error
        return fx.GraphModule(self.root, self.graph)

    def add_tensor(self, key: str, is_kernel: bool) -> None:
        if key not in self.tensors:
            raise ModelFileError(f"{self.name}: the graph uses tensor '{key}', which the file does not have")
        value = self.tensors[key].detach()
        value = value.to(self.dtype) if value.is_floating_point() else value
        if is_kernel and value.dim() == 4:
            value = value.contiguous(memory_format=torch.channels_last)
        self.attributes[key] = f"t{len(self.attributes)}_" + re.sub(r"\W", "_", key)[-60:]
        self.root.register_buffer(self.attributes[key], value)
        self.nodes[f"tensor:{key}"] = self.graph.get_attr(self.attributes[key])

    def resolve(self, op: str, node: str) -> Callable[..., Any]:
        if op not in OPERATORS:
            raise ModelFileError(f"{self.name}: node '{node}' asks for operator '{op}', which programs may not use")
        room, *path = op.split(".")
        if room == "operator":
            return getattr(operator, path[0])
        try:
            return getattr(getattr(torch.ops.aten, path[0]), path[1])
        except AttributeError as error:
            raise ModelFileError(f"{self.name}: torch {torch.__version__} has no operator '{op}'") from error

    def decode(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self.decode(v) for v in value]
        if not isinstance(value, dict):
            return value
        (kind, content), *_ = value.items()
        if kind == "node":
            return self.nodes[content]
        if kind == "tensor":
            return self.nodes[f"tensor:{content}"]
        if kind == "dtype":
            dtype = _DTYPES[content]
            return self.dtype if dtype.is_floating_point else dtype
        if kind == "memory_format":
            return _MEMORY_FORMATS[content]
        if kind == "device":  # constants made on the way are made where the input is
            return self.graph.call_function(getattr, (self.entrance, "device"))
        if kind == "float":
            return float(content)
        raise KeyError(kind)


def _operator_name(target: Any) -> str:
    module = getattr(target, "__module__", "")
    return f"operator.{target.__name__}" if module == "_operator" else str(target)


def _references(value: Any, kind: str) -> list[str]:
    """All `{kind: name}` inside a node, an argument, or a dict of them."""
    if isinstance(value, list):
        return [name for v in value for name in _references(v, kind)]
    if isinstance(value, dict):
        if kind in value and isinstance(value[kind], str):
            return [value[kind]]
        return [name for v in value.values() for name in _references(v, kind)]
    return []


def _reachable(nodes: list[dict], outputs: dict) -> list[dict]:
    """The nodes that the outputs need, in order."""
    needed = set(_references(outputs, "node"))
    kept = []
    for node in reversed(nodes):
        if node["name"] in needed:
            needed.update(_references([node["args"], node["kwargs"]], "node"))
            kept.append(node)
    return kept[::-1]


def _tensor_names(graph: dict) -> set[str]:
    arguments = [[n["args"], n["kwargs"]] for n in graph["nodes"]]
    return {*_references(arguments, "tensor"), *_references(graph["outputs"], "tensor")}


def _kernel_names(graph: dict) -> set[str]:
    return {
        name for n in graph["nodes"] if n["op"] == "aten.conv2d.default" for name in _references(n["args"][1], "tensor")
    }


def _narrowed(value: Tensor) -> Tensor:
    value = value.detach().contiguous()
    if value.dtype != torch.float32:
        return value
    half = value.to(torch.float16)
    return half if torch.equal(half.to(torch.float32), value) else value
