"""A PyTorch module to a `Program`, through torch.export with a free number of rows. Run once, at conversion."""

import io
import logging
import operator
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from typing import Any

import torch
from torch import Tensor, fx, nn

from pipeline.errors import ModelFileError
from pipeline.models.program import VERSION, Program, reachable, tensor_names

_IDENTITIES = frozenset(
    f"aten.{name}.default"
    for name in ("alias", "clone", "detach", "detach_", "dropout", "feature_dropout", "lift_fresh_copy")
)


def trace(module: nn.Module, example: Tensor, outputs: Sequence[str], name: str = "network") -> Program:
    """The program of a module that takes one tensor (rows first) and returns a tensor, or a tuple in `outputs`' order.

    What depends on weights alone is computed here, once. Raises ModelFileError, naming `name`, if the module fixes the
    number of rows, if its rows depend on each other, or if it needs an operator that programs may not use.
    """
    module = module.eval()
    rows = example[:1].expand(2, *example.shape[1:]).contiguous()
    free = ({0: torch.export.Dim("rows", max=1 << 16)},)
    try:
        with torch.no_grad(), _quiet():
            exported = torch.export.export(module, (rows,), dynamic_shapes=free)
    except ModelFileError:
        raise
    except Exception as error:  # torch.export has no error of its own: whatever it raises, we cannot take the module
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].partition(" For more information")[0]
        raise ModelFileError(f"{name}: cannot be converted for a free number of rows: {reason}") from error
    program = _Encoder(exported, name).program(outputs)
    check_rows(program)
    return program


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the whole graphs that torch.export logs and prints before it raises what we say in one line."""
    logger = logging.getLogger("torch.fx.experimental.symbolic_shapes")
    was = logger.disabled
    logger.disabled = True
    try:
        with redirect_stderr(io.StringIO()):
            yield
    finally:
        logger.disabled = was


def check_rows(program: Program) -> None:
    """Rows must not depend on their neighbours: a reshape that mixes them can slip through an export."""
    x_NCHW = torch.rand(3, *program.input_shape, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        together, alone = program(x_NCHW), program(x_NCHW[1:2])
    for output, y in together.items():
        if y.shape[:1] != (3,):
            raise ModelFileError(f"{program.name}: output '{output}' of 3 rows has shape {tuple(y.shape)}")
        # an argmax may fall either way at a tie, so integers are not compared
        if y.is_floating_point() and not torch.allclose(y[1:2], alone[output], rtol=1e-3, atol=1e-3):
            raise ModelFileError(f"{program.name}: output '{output}' of a row changes with the rows beside it")


class _Encoder:
    """torch.export's graph, written down as ours."""

    def __init__(self, exported: Any, name: str) -> None:
        signature = exported.graph_signature
        stored = {**exported.constants, **exported.state_dict}
        self.name = name
        self.graph = exported.graph
        self.tensor_of: dict[str, str] = {  # node -> the tensor that it stands for
            **signature.inputs_to_parameters,
            **signature.inputs_to_buffers,
            **signature.inputs_to_lifted_tensor_constants,
        }
        self.tensors: dict[str, Tensor] = {key: stored[key].detach() for key in self.tensor_of.values()}
        self.same: dict[str, Any] = {}  # node left out -> what stands in its place

    def program(self, outputs: Sequence[str]) -> Program:
        nodes: list[dict] = []
        for node in self.graph.nodes:
            if node.op == "placeholder" and node.name not in self.tensor_of:
                entrance = {"name": node.name, "shape": [int(size) for size in node.meta["val"].shape[1:]]}
            elif node.op == "call_function" and not self.fold(node):
                op = _operator_name(node.target)
                args = [self.encode(a) for a in node.args]
                if _is_identity(op, args):
                    self.same[node.name] = args[0]
                    continue
                kwargs = {k: self.encode(v) for k, v in node.kwargs.items() if k not in ("layout", "pin_memory")}
                nodes.append({"name": node.name, "op": op, "args": args, "kwargs": kwargs})
            elif node.op == "output":
                results = dict(zip(outputs, (self.encode(a) for a in node.args[0]), strict=True))
        made_by = {node["name"]: node for node in nodes}
        nodes = [step for node in nodes for step in _channels_last_shuffle(node, made_by)]
        # `reachable` also drops the assertions that export adds
        graph = {"version": VERSION, "input": entrance, "nodes": reachable(nodes, results), "outputs": results}
        return Program.from_parts(graph, {key: self.tensors[key] for key in tensor_names(graph)}, self.name)

    def fold(self, node: fx.Node) -> bool:
        """Compute a node that depends on weights alone; True if it was one."""
        if any(n.name not in self.tensor_of for n in node.all_input_nodes) or not isinstance(
            node.meta.get("val"), Tensor
        ):
            return False
        args, kwargs = fx.map_arg((node.args, node.kwargs), lambda n: self.tensors[self.tensor_of[n.name]])
        with torch.no_grad():
            value = node.target(*args, **kwargs)  # type: ignore[operator]
        sources = [self.tensor_of[n.name] for n in node.all_input_nodes]
        self.tensor_of[node.name] = f"{sources[0]}.{node.name}" if sources else node.name
        self.tensors[self.tensor_of[node.name]] = value.contiguous()
        return True

    def encode(self, value: Any) -> Any:
        if isinstance(value, fx.Node):
            known = {"tensor": self.tensor_of[value.name]} if value.name in self.tensor_of else {"node": value.name}
            return self.same.get(value.name, known)
        if isinstance(value, list | tuple):
            return [self.encode(v) for v in value]
        if value is None or isinstance(value, bool | int | str):
            return value
        if isinstance(value, float):
            return value if value - value == 0 else {"float": str(value)}  # JSON has no infinity
        marks = {torch.dtype: "dtype", torch.memory_format: "memory_format"}
        if type(value) in marks:
            return {marks[type(value)]: str(value).removeprefix("torch.")}
        if isinstance(value, torch.device):
            return {"device": "input"}
        raise ModelFileError(f"{self.name}: cannot write down an argument of type {type(value).__name__}")


def _operator_name(target: Any) -> str:
    name = getattr(target, "__name__", "")
    return f"operator.{name}" if getattr(operator, name, None) is target else str(target)


def _is_identity(op: str, args: list) -> bool:
    """Whether a node hands on its first argument, in evaluation and where nothing is written in place."""
    return op in _IDENTITIES or (op == "aten.pad.default" and not any(args[1]))


def _channels_last_shuffle(node: dict, made_by: Mapping[str, dict]) -> list[dict]:
    """What stands for a node. The copy of a channel shuffle is done in channels-last order, like all around it.

    A shuffle reshapes to (N, G, C, H, W), permutes to (N, C, G, H, W), reshapes to (N, C*G, H, W): this is its last.
    """
    permute = _argument(node, "aten.reshape.default", made_by)
    reshape = _argument(permute, "aten.permute.default", made_by)
    before = _argument(reshape, "aten.reshape.default", made_by)
    if permute is None or reshape is None or before is None or permute["args"][1] != [0, 2, 1, 3, 4]:
        return [node]
    rows, groups, channels, *size = reshape["args"][1]
    if len(node["args"][1]) != 4 or node["args"][1][2:] != size:
        return [node]
    value: Any = reshape["args"][0]
    steps: list[dict] = []
    for op, argument in (
        ("permute", [0, 2, 3, 1]),
        ("reshape", [rows, *size, groups, channels]),
        ("permute", [0, 1, 2, 4, 3]),
        ("reshape", [rows, *size, groups * channels]),
        ("permute", [0, 3, 1, 2]),
    ):
        name = f"{node['name']}_{op}_{len(steps)}"
        steps.append({"name": name, "op": f"aten.{op}.default", "args": [value, argument], "kwargs": {}})
        value = {"node": name}
    steps[-1]["name"] = node["name"]
    return steps


def _argument(node: dict | None, op: str, made_by: Mapping[str, dict]) -> dict | None:
    """The node that makes the first argument of a node, if that is an `op`."""
    if node is None or node["op"] != op:
        return None
    value = node["args"][0]
    return made_by.get(value["node"]) if isinstance(value, dict) and "node" in value else None
