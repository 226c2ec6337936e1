"""A network as data: a graph of allow-listed ATen operators in JSON, beside a dict of tensors.

Networks that come as ONNX or tfjs files are converted to this form once (`tracing.trace`), kept as safetensors with the
graph beside them, and run from there with torch alone. Loading a program executes nothing of the file: its operators
are looked up in `OPERATORS`, by name.

The graph is `{"version", "input": {"name", "shape"}, "nodes": [{"name", "op", "args", "kwargs"}], "outputs": {name:
argument}}`. In arguments `{"node": name}` is an earlier result, `{"tensor": name}` a weight; `dtype`, `memory_format`,
`device` and `float` mark what JSON cannot say.

Shapes: N rows (always free), C channels, H height, W width.
"""

import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, fx, nn

from pipeline.errors import ModelFileError

VERSION = 1

# What such networks are made of; a file that asks for anything else is refused.
_ATEN = """
    conv2d.default batch_norm.default linear.default addmm.default mm.default matmul.default
    relu.default prelu.default leaky_relu.default sigmoid.default tanh.default softmax.int exp.default
    hardswish.default hardsigmoid.default silu.default gelu.default elu.default erf.default softplus.default
    log.default log_softmax.int layer_norm.default
    hardtanh.default clamp.default clip.default clamp_min.default clamp_max.default minimum.default maximum.default
    add.Tensor sub.Tensor rsub.Scalar mul.Tensor div.Tensor neg.default pow.Tensor_Scalar sqrt.default
    max_pool2d.default avg_pool2d.default adaptive_avg_pool2d.default adaptive_max_pool2d.default
    mean.dim mean.default sum.dim_IntList amax.default amin.default argmax.default
    view.default reshape.default flatten.using_ints permute.default transpose.int squeeze.dim squeeze.dims
    unsqueeze.default expand.default cat.default stack.default slice.Tensor select.int split.Tensor
    split_with_sizes.default chunk.default index_select.default
    pad.default constant_pad_nd.default
    upsample_bilinear2d.default upsample_bilinear2d.vec upsample_nearest2d.default upsample_nearest2d.vec
    to.dtype contiguous.default clone.default zeros.default ones.default full.default arange.default
    sym_size.int
"""
_SYMBOLIC = ("operator.add", "operator.sub", "operator.mul", "operator.floordiv", "operator.getitem")
OPERATORS = frozenset(f"aten.{name}" for name in _ATEN.split()) | set(_SYMBOLIC)

_DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (torch.float64, torch.float32, torch.float16, torch.int64, torch.int32, torch.bool)
}
_MEMORY_FORMATS = {
    str(layout).removeprefix("torch."): layout
    for layout in (torch.contiguous_format, torch.channels_last, torch.preserve_format)
}


class Program(nn.Module):
    """A network that runs a graph of ATen operators: `forward(x_NCHW) -> {output name: tensor}`.

    Differentiable with respect to its input; its tensors are buffers: `.to(device)` moves them, nothing trains them.
    Convolutions run channels-last. Inside is one `torch.fx.GraphModule`: intermediates are freed after their last use,
    and `torch.compile(program)` sees plain operators.
    """

    def __init__(self, graph: dict, tensors: Mapping[str, Tensor], name: str, dtype: torch.dtype) -> None:
        super().__init__()
        self.name = name
        self._graph = graph
        builder = _Builder(graph, tensors, name, dtype)
        self.body = builder.build()
        self._attributes = builder.attributes

    @classmethod
    def from_parts(
        cls, graph: dict, tensors: Mapping[str, Tensor], name: str, dtype: torch.dtype = torch.float32
    ) -> "Program":
        """A program from its two parts. Floating-point tensors, float16 ones too, are brought to `dtype`.

        Raises ModelFileError, naming `name`, for an operator that is not in `OPERATORS`, a tensor that is not there,
        or a graph that is not of this form.
        """
        return cls(graph, tensors, name, dtype)

    def parts(self) -> tuple[dict, dict[str, Tensor]]:
        """The graph (JSON-able) and its tensors; a float32 tensor is float16 where that loses nothing."""
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
        """The same network without what only other outputs need. Raises ModelFileError for an unknown output."""
        if unknown := [o for o in outputs if o not in self._graph["outputs"]]:
            raise ModelFileError(f"{self.name} has no output {', '.join(unknown)}; it has {', '.join(self.outputs)}")
        graph = {**self._graph, "outputs": {o: self._graph["outputs"][o] for o in outputs}}
        graph["nodes"] = reachable(graph["nodes"], graph["outputs"])
        tensors = {key: self.body.get_buffer(self._attributes[key]) for key in tensor_names(graph)}
        dtype = next((t.dtype for t in tensors.values() if t.is_floating_point()), torch.float32)
        return Program(graph, tensors, self.name, dtype)

    def forward(self, x_NCHW: Tensor) -> dict[str, Tensor]:
        if tuple(x_NCHW.shape[1:]) != self.input_shape:
            expected = ", ".join(map(str, self.input_shape))
            raise ValueError(f"{self.name} takes a batch of shape (N, {expected}), not {tuple(x_NCHW.shape)}")
        if x_NCHW.dim() == 4:
            x_NCHW = x_NCHW.contiguous(memory_format=torch.channels_last)
        return dict(zip(self._graph["outputs"], self.body(x_NCHW), strict=True))


class _Builder:
    """A graph and its tensors, made into a torch.fx.GraphModule."""

    def __init__(self, graph: dict, tensors: Mapping[str, Tensor], name: str, dtype: torch.dtype) -> None:
        self.source, self.tensors, self.name, self.dtype = graph, tensors, name, dtype
        self.attributes: dict[str, str] = {}  # tensor's name in the file -> its buffer in the body
        self.root = nn.Module()
        self.graph = fx.Graph()
        self.nodes: dict[str, fx.Node] = {}
        self.weights: dict[str, fx.Node] = {}
        self.decoders: dict[str, Callable[[str], Any]] = {
            "node": lambda name: self.nodes[name],
            "tensor": lambda name: self.weights[name],
            "dtype": lambda name: self.dtype if _DTYPES[name].is_floating_point else _DTYPES[name],
            "memory_format": lambda name: _MEMORY_FORMATS[name],
            "device": lambda _: self.graph.call_function(getattr, (self.entrance, "device")),  # follows the input
            "float": float,
        }

    def build(self) -> fx.GraphModule:
        try:
            if self.source["version"] != VERSION:
                raise ModelFileError(
                    f"{self.name}: program graph of version {self.source['version']}; this release reads {VERSION}"
                )
            self.entrance = self.graph.placeholder("x")
            self.nodes[self.source["input"]["name"]] = self.entrance
            kernels = _kernel_names(self.source)
            for key in sorted(tensor_names(self.source)):
                self.add_tensor(key, key in kernels)
            for node in self.source["nodes"]:
                target = self.resolve(node["op"], node["name"])
                args = tuple(self.decode(a) for a in node["args"])
                kwargs = {k: self.decode(v) for k, v in node["kwargs"].items()}
                self.nodes[node["name"]] = self.graph.call_function(target, args, kwargs)
            self.graph.output(tuple(self.decode(v) for v in self.source["outputs"].values()))
        except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
            raise ModelFileError(f"{self.name}: damaged program graph: {type(error).__name__} at {error}") from error
        return fx.GraphModule(self.root, self.graph)

    def add_tensor(self, key: str, is_kernel: bool) -> None:
        if key not in self.tensors:
            raise ModelFileError(f"{self.name}: the graph uses tensor '{key}', which the file does not have")
        value = self.tensors[key].detach()
        value = value.to(self.dtype) if value.is_floating_point() else value
        if is_kernel and value.dim() == 4:
            value = value.contiguous(memory_format=torch.channels_last)
        attribute = f"t{len(self.attributes)}_" + re.sub(r"\W", "_", key)[-60:]
        self.attributes[key] = attribute
        self.root.register_buffer(attribute, value)
        self.weights[key] = self.graph.get_attr(attribute)

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
        if isinstance(value, dict):
            ((kind, content),) = value.items()
            return self.decoders[kind](content)
        return value


def references(value: Any, kind: str) -> list[str]:
    """All names in `{kind: name}` inside a node, an argument, or lists and dicts of them."""
    if isinstance(value, list):
        return [name for v in value for name in references(v, kind)]
    if isinstance(value, dict):
        if isinstance(value.get(kind), str):
            return [value[kind]]
        return [name for v in value.values() for name in references(v, kind)]
    return []


def reachable(nodes: list[dict], outputs: dict) -> list[dict]:
    """The nodes that the outputs need, in order."""
    needed = set(references(list(outputs.values()), "node"))
    kept = []
    for node in reversed(nodes):
        if node["name"] in needed:
            needed.update(_node_references(node, "node"))
            kept.append(node)
    return kept[::-1]


def tensor_names(graph: dict) -> set[str]:
    """Names of the tensors that a graph uses."""
    used = set(references(list(graph["outputs"].values()), "tensor"))
    return used.union(*(_node_references(node, "tensor") for node in graph["nodes"]))


def _node_references(node: dict, kind: str) -> list[str]:
    return references([*node["args"], *node["kwargs"].values()], kind)


def _kernel_names(graph: dict) -> set[str]:
    convolutions = [node for node in graph["nodes"] if node["op"] == "aten.conv2d.default"]
    return {name for node in convolutions for name in references(node["args"][1], "tensor")}


def _narrowed(value: Tensor) -> Tensor:
    value = value.detach().contiguous()
    if value.dtype != torch.float32:
        return value
    half = value.to(torch.float16)
    return half if torch.equal(half.to(torch.float32), value) else value
