"""Programs of torch.export (.pt2), as PyTorch 2.13 writes them: an archive of a graph in JSON and raw weights.

PyTorch's own reader evaluates expressions of the file and may unpickle. Here sizes that are expressions are not looked
at, operators are found by name among those of `program`, and weights are bytes of known shape and type.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from pipeline.errors import ModelFileError
from pipeline.models.pickles.stand_ins import Storage, StridedTensor
from pipeline.models.program import VERSION, Program, reachable, tensor_names
from pipeline.models.tracing import check_rows

MODEL = "models/model.json"
SCHEMA = 8
"""Major version of the graph's form (torch/_export/serde/schema.py)."""
DTYPES = {
    1: torch.uint8, 2: torch.int8, 3: torch.int16, 4: torch.int32, 5: torch.int64, 6: torch.float16, 7: torch.float32,
    8: torch.float64, 12: torch.bool, 13: torch.bfloat16,
}  # fmt: skip
MEMORY_FORMATS = {1: "contiguous_format", 2: "channels_last", 4: "preserve_format"}
IDENTITIES = {"aten.alias.default", "aten.detach.default", "aten.detach_.default", "aten.dropout.default"}
PROBABILITIES = {"aten.softmax.int", "aten.sigmoid.default"}
LEFT_OUT = ("layout", "pin_memory")


def read(data: bytes, name: str) -> tuple[Program, bool]:
    """The program, and whether it takes any number of rows, and not one alone. A softmax or sigmoid at the end of an
    output is left out.

    Raises:
        ModelFileError: it is damaged, was written by an older PyTorch, was exported in training or for several rows,
            takes something else than one tensor, or needs an operator that programs may not use.
    """
    try:
        program, free = _program(data, name)
        if free:
            check_rows(program)
    except ModelFileError as error:
        raise ModelFileError(f"{name}: {str(error).removeprefix(f'{name}: ')}") from None
    except Exception as error:  # what does not fit together fails in many ways, some only when it runs
        first = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise ModelFileError(f"{name}: a damaged program of torch.export: {first}") from error
    return program, free


def _program(data: bytes, name: str) -> tuple[Program, bool]:
    archive = _Archive(data)
    model = archive.json(MODEL)
    version = model["schema_version"]["major"]
    if version != SCHEMA:
        raise ModelFileError(f"a program of torch.export in form {version}; form {SCHEMA} is read: export it again")
    graph, signature = model["graph_module"]["graph"], model["graph_module"]["signature"]
    weights = archive.tensors("weights") | archive.tensors("constants")
    encoder = _Encoder(weights)
    for spec in signature["input_specs"]:
        encoder.add_input(spec)
    (entrance,) = encoder.entrances
    rows, *shape = graph["tensor_values"][entrance]["sizes"]
    if rows.get("as_int", 1) != 1:
        raise ModelFileError(f"exported for {rows['as_int']} rows: export it for one, or for any number")
    for node in graph["nodes"]:
        encoder.add_node(node)
    (results,) = [[spec["user_output"]["arg"]["as_tensor"]["name"] for spec in signature["output_specs"]]]
    outputs = {result: encoder.logits(result) for result in results}
    own = {
        "version": VERSION,
        "input": {"name": entrance, "shape": [size["as_int"] for size in shape]},
        "nodes": reachable(encoder.nodes, outputs),
        "outputs": outputs,
    }
    tensors = {key: weights[key] for key in tensor_names(own)}
    return Program.from_parts(own, tensors, name), "as_int" not in rows


class _Archive:
    """The members of a zip archive in which nothing is compressed."""

    def __init__(self, data: bytes) -> None:
        self.zip = zipfile.ZipFile(io.BytesIO(data))
        members = self.zip.infolist()
        if any(one.compress_type for one in members) or sum(one.file_size for one in members) > len(data):
            raise ModelFileError("an archive with compressed members, which torch.export does not write")
        (self.root,) = [one.filename.removesuffix(MODEL) for one in members if one.filename.endswith(MODEL)]

    def json(self, path: str) -> Any:
        return json.loads(self.zip.read(self.root + path))

    def tensors(self, kind: str) -> dict[str, Tensor]:
        """Weights, or constants, by the names that the signature gives them."""
        path = f"data/{kind}/model_{kind}_config.json"
        if self.root + path not in self.zip.namelist():
            raise ModelFileError("a program of torch.export of an older PyTorch: export it again")
        found = self.json(path)["config"]
        return {key: self._tensor(kind, each) for key, each in found.items()}

    def _tensor(self, kind: str, said: Any) -> Tensor:
        if said["use_pickle"]:
            raise ModelFileError("a weight that is pickled, which is not read")
        meta, content = said["tensor_meta"], self.zip.read(f"{self.root}data/{kind}/{said['path_name']}")
        dtype = DTYPES[meta["dtype"]]
        storage = Storage(dtype, len(content) // dtype.itemsize)
        storage.fill(memoryview(content)[: storage.bytes])
        size, stride = (tuple(each["as_int"] for each in meta[name]) for name in ("sizes", "strides"))
        return StridedTensor(storage, meta["storage_offset"]["as_int"], size, stride).tensor()


class _Encoder:
    """Nodes of torch.export, written down as those of `Program`."""

    def __init__(self, weights: dict[str, Tensor]) -> None:
        self.weights = weights
        self.known: dict[str, Any] = {}  # by its name in the file: what stands for a value
        self.entrances: list[str] = []
        self.nodes: list[dict[str, Any]] = []
        self.decoders: dict[str, Callable[[Any], Any]] = {
            "as_none": lambda _: None,
            "as_tensor": self._optional,
            "as_optional_tensor": self._optional,
            "as_tensors": lambda values: [self._optional(each) for each in values],
            "as_sym_int": self._size,
            "as_sym_ints": lambda values: [self._size(each) for each in values],
            "as_scalar_type": lambda number: {"dtype": str(DTYPES[number]).removeprefix("torch.")},
            "as_memory_format": lambda number: {"memory_format": MEMORY_FORMATS[number]},
            "as_device": lambda _: {"device": "input"},
            **{f"as_{kind}": _plain for kind in ("int", "float", "bool", "string")},
            **{f"as_{kind}s": lambda values: [_plain(each) for each in values] for kind in ("int", "float", "bool")},
        }

    def add_input(self, spec: Any) -> None:
        ((kind, said),) = spec.items()
        argument = said["arg"]
        match kind:
            case "user_input":
                name = argument["as_tensor"]["name"]
                self.entrances.append(name)
                self.known[name] = {"node": name}
            case "parameter" | "buffer" | "tensor_constant":
                key = said[f"{kind}_name"]
                if key not in self.weights:
                    raise ModelFileError(f"its weight {key!r:.80} is not in the archive")
                self.known[argument["name"]] = {"tensor": key}
            case _:
                raise ModelFileError(f"an input of the kind {kind!r:.40}, which is not read")

    def add_node(self, node: Any) -> None:
        target = node["target"]
        op = target.removeprefix("torch.ops.") if target.startswith("torch.ops.") else target.removeprefix("_")
        given = [(each["name"], each["arg"], each.get("kind")) for each in node["inputs"]]
        if any(name in ("train", "training") and argument.get("as_bool") for name, argument, _ in given):
            raise ModelFileError(f"{op} is in training: export network.eval()")
        args = [self.decoded(argument) for _, argument, kind in given if kind != 2]
        named = {name: self.decoded(argument) for name, argument, kind in given if kind == 2 and name not in LEFT_OUT}
        names = list(_results(node["outputs"]))
        if op in IDENTITIES and len(names) == 1:
            self.known[names[0]] = args[0]
            return
        single = len(names) == 1 and "as_tensors" not in node["outputs"][0]
        own = names[0] if single else f"all of {len(self.nodes)}"
        self.nodes.append({"name": own, "op": op, "args": args, "kwargs": named})
        self.known[own] = {"node": own}
        for place, name in enumerate(() if single else names):
            taken = {"name": name, "op": "operator.getitem", "args": [{"node": own}, place], "kwargs": {}}
            self.nodes.append(taken)
            self.known[name] = {"node": name}

    def decoded(self, argument: Any) -> Any:
        ((kind, value),) = argument.items()
        if kind not in self.decoders:
            raise ModelFileError(f"an argument of the kind {kind!r:.40}, which is not read")
        return self.decoders[kind](value)

    def _optional(self, value: Any) -> Any:
        return self.known[value["name"]] if "name" in value else self.decoded(value)

    def _size(self, value: Any) -> Any:
        return self.known[value["as_name"]] if "as_name" in value else int(value["as_int"])

    def logits(self, result: str) -> Any:
        """What stands for an output: of a softmax or a sigmoid what it is of, since a probability saturates."""
        made_by = {node["name"]: node for node in self.nodes}
        found = self.known[result]
        node = made_by.get(found.get("node"))
        return node["args"][0] if node and node["op"] in PROBABILITIES else found


def _plain(value: Any) -> Any:
    if type(value) not in (int, float, bool, str):
        raise ModelFileError(f"a {type(value).__name__} where a number should be")
    return value


def _results(outputs: Any) -> Iterator[str]:
    """The names of what a node gives."""
    for output in outputs:
        ((kind, value),) = output.items()
        if kind == "as_tensors":
            yield from (each["name"] for each in value)
        elif kind == "as_tensor":
            yield value["name"]
        elif kind == "as_sym_int":
            yield value["as_name"]
        elif kind != "as_none":
            raise ModelFileError(f"a result of the kind {kind!r:.40}, which is not read")
