"""Changes to an ONNX graph before its conversion: other outputs, and rows that are free.

Exporters often fix the rows to 1: in the graph's input, and in the shapes of its reshapes.
"""

from collections.abc import Mapping

import onnx
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from pipeline.errors import ModelFileError

_OURS = "output:"
_PROBABILITIES = ("Softmax", "LogSoftmax", "Sigmoid", "Identity")


def restrict(graph: onnx.GraphProto, outputs: Mapping[str, str], name: str) -> None:
    """Give the graph the outputs that were asked for (our name -> its tensor), and drop what they do not need."""
    tensors = {o for node in graph.node for o in node.output}
    if absent := [tensor for tensor in outputs.values() if tensor not in tensors]:
        raise ModelFileError(f"{name}: the graph has no tensor {', '.join(absent)}")
    graph.node.extend(helper.make_node("Identity", [tensor], [_OURS + ours]) for ours, tensor in outputs.items())
    graph.ClearField("output")
    graph.output.extend(helper.make_tensor_value_info(_OURS + ours, onnx.TensorProto.FLOAT, None) for ours in outputs)
    _constants_to_initializers(graph)
    _prune(graph)


def input_shape(graph: onnx.GraphProto, name: str) -> list[int]:
    """Shape of one row of the graph's one input."""
    if len(graph.input) != 1:
        found = ", ".join(i.name for i in graph.input) or "none"
        raise ModelFileError(f"{name}: expected a graph with one input, found {found}")
    shape = [d.dim_value for d in graph.input[0].type.tensor_type.shape.dim]
    if len(shape) < 2 or 0 in shape[1:]:
        raise ModelFileError(f"{name}: expected an input of known size with rows first, found shape {tuple(shape)}")
    return shape[1:]


def set_size(graph: onnx.GraphProto, hw: tuple[int, int], name: str) -> None:
    """Give the pictures (N, C, H, W) of the graph's input that height and width, where it leaves them open.

    Raises ModelFileError where it takes pictures of another size, or something else than pictures.
    """
    weights = {i.name for i in graph.initializer}
    inputs = [i for i in graph.input if i.name not in weights]
    dims = inputs[0].type.tensor_type.shape.dim if len(inputs) == 1 else []
    shape = [d.dim_value or d.dim_param or "?" for d in dims]
    found = " x ".join(map(str, shape)) or "something else"
    if len(dims) != 4 or dims[1].dim_value not in (1, 3):
        last = len(dims) == 4 and dims[3].dim_value in (1, 3)
        how = "write it with channels first (tf2onnx: --inputs-as-nchw)" if last else "a classifier takes N x 3 x H x W"
        raise ModelFileError(f"{name}: takes {found}: {how}")
    for dim, size in zip(dims[2:], hw, strict=True):
        if dim.dim_value not in (0, size):
            raise ModelFileError(
                f"{name}: takes pictures of {found}, and `size` is {hw[0]} x {hw[1]}: give the graph's"
            )
        dim.dim_value = size


def before_probabilities(graph: onnx.GraphProto, tensor: str) -> str:
    """The tensor of which this one is the softmax or the sigmoid; the tensor itself where it is neither."""
    made_by = {output: node for node in graph.node for output in node.output}
    seen: set[str] = set()
    while tensor not in seen and (node := made_by.get(tensor)) and node.op_type in _PROBABILITIES:
        seen.add(tensor)
        tensor = node.input[0]
    return tensor


def free_rows(model: onnx.ModelProto, name: str) -> None:
    """Let the graph take any number of rows: each reshape keeps the sizes of one row, and leaves its first open.

    A reshape that carries rows elsewhere than first is found out by `trace`, which compares rows alone and together.
    """
    graph = model.graph
    rows = graph.input[0].type.tensor_type.shape.dim[0]
    rows.dim_value = 1
    pending = [node for node in graph.node if node.op_type == "Reshape"]
    while pending:  # a shape that is computed on the way may stand on another reshape's
        sizes = _sizes(model, name)
        shapes = [(node, _shape_value(model, node.input[1], sizes)) for node in pending]
        for node, shape in shapes:
            if shape is not None:
                _write_shape(graph, node, shape)
        unknown = [node for node, shape in shapes if shape is None]
        if len(unknown) == len(pending):
            raise ModelFileError(f"{name}: the shape of reshape '{unknown[0].output[0]}' depends on values")
        pending = unknown
    sizes = _sizes(model, name)
    on_rows = {graph.input[0].name}
    for node in graph.node:
        if on_rows.intersection(node.input):
            on_rows.update(node.output)
            if node.op_type == "Reshape" and node.input[0] in on_rows:
                _write_shape(graph, node, [-1, *sizes[node.output[0]][1:]])
    rows.dim_param = "rows"
    _prune(graph)  # computing those shapes has become needless


def our_names(graph: onnx.GraphProto) -> list[str]:
    """Names of the outputs, as `restrict` was given them."""
    return [o.name.removeprefix(_OURS) for o in graph.output]


def first_line(error: Exception) -> str:
    """What a library says, without its details."""
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)


def _constants_to_initializers(graph: onnx.GraphProto) -> None:
    for node in [n for n in graph.node if n.op_type == "Constant" and n.attribute[0].name == "value"]:
        value = onnx.TensorProto()
        value.CopyFrom(node.attribute[0].t)
        value.name = node.output[0]
        graph.initializer.append(value)
        graph.node.remove(node)


def _prune(graph: onnx.GraphProto) -> None:
    needed = {o.name for o in graph.output}
    kept = []
    for node in reversed(graph.node):
        if needed.intersection(node.output):
            needed.update(node.input)
            kept.append(node)
    initializers = [i for i in graph.initializer if i.name in needed]
    weights = {i.name for i in initializers}  # old exporters list them as inputs too
    inputs = [i for i in graph.input if i.name in needed and i.name not in weights]
    for field in ("node", "initializer", "input", "value_info"):
        graph.ClearField(field)
    graph.node.extend(reversed(kept))
    graph.initializer.extend(initializers)
    graph.input.extend(inputs)


def _sizes(model: onnx.ModelProto, name: str) -> dict[str, list[int]]:
    """Sizes of the tensors, as far as they can be told."""
    try:
        graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    except Exception as error:  # InferenceError, or RuntimeError from the C++ side
        raise ModelFileError(f"{name}: {first_line(error)}") from error
    sizes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in [*graph.value_info, *graph.input]}
    return {tensor: size for tensor, size in sizes.items() if size and 0 not in size}


def _shape_value(model: onnx.ModelProto, tensor: str, sizes: Mapping[str, list[int]]) -> list[int] | None:
    """What a shape comes to, if it stands on constants and on known sizes alone."""
    known = {i.name: i for i in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Shape" and node.input[0] in sizes:
            size = sizes[node.input[0]]
            known[node.output[0]] = helper.make_tensor(node.output[0], onnx.TensorProto.INT64, [len(size)], size)
    if tensor in known:
        return numpy_helper.to_array(known[tensor]).tolist()
    needed, nodes = {tensor}, []
    for node in reversed(model.graph.node):
        if needed.intersection(node.output) and not known.keys() & set(node.output):
            needed.update(node.input)
            nodes.append(node)
    made = {o for node in nodes for o in node.output}
    if needed - known.keys() - made:
        return None
    result = [helper.make_tensor_value_info(tensor, onnx.TensorProto.INT64, None)]
    constants = [known[name] for name in needed & known.keys()]
    graph = helper.make_graph(nodes[::-1], "shape", [], result, constants)
    evaluator = ReferenceEvaluator(helper.make_model(graph, opset_imports=model.opset_import))
    return evaluator.run(None, {})[0].tolist()


def _write_shape(graph: onnx.GraphProto, reshape: onnx.NodeProto, shape: list[int]) -> None:
    constant = f"{reshape.output[0]}:shape:{len(graph.initializer)}"
    graph.initializer.append(helper.make_tensor(constant, onnx.TensorProto.INT64, [len(shape)], shape))
    reshape.input[1] = constant
