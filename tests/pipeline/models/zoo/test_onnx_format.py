"""ONNX files: small graphs against onnxruntime, rows freed, damaged files, and the real networks."""

import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from formula_pictures import four
from onnx import TensorProto, helper, numpy_helper

from pipeline.errors import ModelFileError
from pipeline.models import zoo
from pipeline.models.zoo.formats import onnx as onnx_format

RANDOM = np.random.default_rng(0)


def _weight(name, *shape):
    return numpy_helper.from_array(RANDOM.normal(size=shape).astype(np.float32), name)


def _integers(name, *values):
    return numpy_helper.from_array(np.array(values, np.int64), name)


def _value(name, *shape, dtype=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, dtype, list(shape))


def _model(nodes, inputs, outputs, weights=(), opset=13):
    graph = helper.make_graph(nodes, "toy", inputs, outputs, list(weights))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def _node(op, inputs, output, **attributes):
    return helper.make_node(op, inputs.split(), [output], name=f"make_{output}", **attributes)


def _classifier(rows=1, opset=13):
    """Convolution, channel shuffle with its rows fixed, pool, flattening with its rows fixed, two heads."""
    return _model(
        [
            _node("Conv", "x kernel bias", "convolved", pads=[1, 1, 1, 1]),
            _node("PRelu", "convolved slope", "activated"),
            _node("Reshape", "activated split", "groups"),
            _node("Transpose", "groups", "swapped", perm=[0, 2, 1, 3, 4]),
            _node("Reshape", "swapped join", "shuffled"),
            _node("AveragePool", "shuffled", "pooled", kernel_shape=[2, 2], strides=[2, 2]),
            _node("Reshape", "pooled flat", "features"),
            _node("Gemm", "features matrix offset", "logits"),
            _node("Softmax", "logits", "probabilities", axis=1),
        ],
        [_value("x", rows, 3, 4, 4)],
        [_value("probabilities", rows, 5)],
        [
            _weight("kernel", 8, 3, 3, 3),
            _weight("bias", 8),
            _weight("slope", 8, 1, 1),
            _integers("split", rows, 2, 4, 4, 4),
            _integers("join", rows, -1, 4, 4),
            _integers("flat", rows, -1),
            _weight("matrix", 32, 5),
            _weight("offset", 5),
        ],
        opset,
    )


def _computed_shapes():
    """As PyTorch exports x.view(x.size(0), -1, 2): the shape is gathered from the tensor's own; slices beside it."""
    return _model(
        [
            helper.make_node("Constant", [], ["zero"], value=numpy_helper.from_array(np.array(0, np.int64))),
            helper.make_node("Constant", [], ["rest"], value=numpy_helper.from_array(np.array([-1, 2], np.int64))),
            _node("Shape", "x", "shape"),
            _node("Gather", "shape zero", "rows", axis=0),
            _node("Unsqueeze", "rows", "rows1", axes=[0]),
            _node("Concat", "rows1 rest", "wanted", axis=0),
            _node("Reshape", "x wanted", "pairs"),
            _node("Slice", "pairs", "first", axes=[2], starts=[0], ends=[1]),
            _node("Slice", "pairs", "second", axes=[-1], starts=[1], ends=[9223372036854775807]),
            _node("Exp", "second", "grown"),
            _node("Mul", "first grown", "y"),
        ],
        [_value("x", 1, 3, 4)],
        [_value("y", 1, 6, 1)],
        opset=9,
    )


def _reference(model, output, x):
    """onnxruntime's answer, row by row."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    if output not in [o.name for o in model.graph.output]:
        model.graph.output.append(helper.make_empty_tensor_value_info(output))
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return np.concatenate([session.run([output], {"x": row[None]})[0] for row in x])


@pytest.mark.parametrize("opset", [9, 11, 13])
def test_a_graph_that_fixes_its_rows_takes_any_number_of_them(opset):
    model = _classifier(opset=opset)
    outputs = {"logits": "logits", "again": "logits", "p": "probabilities", "shuffled": "shuffled"}
    program = onnx_format.read(model.SerializeToString(), outputs, "toy.onnx")
    assert program.outputs == tuple(outputs)
    x = RANDOM.normal(size=(4, 3, 4, 4)).astype(np.float32)
    for rows in (1, 4):
        with torch.no_grad():
            y = program(torch.from_numpy(x[:rows]))
        for ours, theirs in outputs.items():
            np.testing.assert_allclose(y[ours], _reference(model, theirs, x[:rows]), atol=1e-5)


def test_shapes_computed_on_the_way_and_the_slices_of_old_opsets():
    model = _computed_shapes()
    program = onnx_format.read(model.SerializeToString())
    x = RANDOM.normal(size=(3, 3, 4)).astype(np.float32)
    np.testing.assert_allclose(program(torch.from_numpy(x))["y"], _reference(model, "y", x), atol=1e-6)


def test_a_free_batch_dimension_and_weights_listed_as_inputs():
    model = _classifier()
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_param = "batch"
    model.graph.input.extend(_value(w.name, *w.dims, dtype=w.data_type) for w in model.graph.initializer)
    program = onnx_format.read(model.SerializeToString())
    assert program.input_shape == (3, 4, 4)
    assert program(torch.zeros(3, 3, 4, 4))["probabilities"].shape == (3, 5)


def test_what_the_outputs_do_not_need_is_not_even_looked_at():
    model = _classifier()
    model.graph.node.append(helper.make_node("NonZero", ["logits"], ["others"]))
    model.graph.output.append(_value("others", 2, None, dtype=TensorProto.INT64))
    program = onnx_format.read(model.SerializeToString(), {"logits": "logits"})
    assert program(torch.zeros(2, 3, 4, 4))["logits"].shape == (2, 5)


def test_gradients_reach_the_picture():
    program = onnx_format.read(_classifier().SerializeToString(), {"logits": "logits"})
    x_N3HW = torch.rand(2, 3, 4, 4).requires_grad_()
    program(x_N3HW)["logits"].sum().backward()
    assert x_N3HW.grad.abs().max() > 0


def test_no_stand_in_for_torchvision_is_left_behind():
    onnx_format.read(_classifier().SerializeToString())
    if "torchvision" in sys.modules:
        assert hasattr(sys.modules["torchvision"], "__version__")  # the real one


def _edited(edit):
    def damage():
        model = _classifier()
        edit(model.graph)
        return model.SerializeToString()

    return damage


def _replace(graph, name, tensor):
    place = next(k for k, w in enumerate(graph.initializer) if w.name == name)
    graph.initializer[place].CopyFrom(tensor)


def _two_inputs(graph):
    graph.input.append(_value("other", 1, 5))
    graph.node.insert(8, _node("Add", "logits other", "sum"))
    graph.node[9].input[0] = "sum"


def _shape_from_values(graph):
    graph.node.insert(6, _node("Cast", "pooled", "rounded", to=TensorProto.INT64))
    graph.node.insert(7, _node("Flatten", "rounded", "listed", axis=0))
    graph.node.insert(8, _node("Squeeze", "listed", "wanted"))
    graph.node[9].input[1] = "wanted"


WHOLE = _classifier().SerializeToString()
DAMAGES = {
    "truncated": (lambda: WHOLE[:-100], r"not an ONNX file, or a truncated one \(\d+ bytes\)"),
    "another format": (lambda: b"PK\x03\x04" + bytes(100), "not an ONNX file, or a truncated one"),
    "empty": (lambda: b"", "toy.onnx: "),
    "unknown operator": (_edited(lambda g: setattr(g.node[1], "op_type", "Frobnicate")), "Frobnicate"),
    "operator without a converter": (
        _edited(lambda g: (setattr(g.node[1], "op_type", "ThresholdedRelu"), g.node[1].input.pop())),
        "node 'make_activated' has operator ThresholdedRelu, which is not known here",
    ),
    "fewer values than the shape": (
        _edited(lambda g: setattr(g.initializer[0], "raw_data", g.initializer[0].raw_data[:-8])),
        "kernel",
    ),
    "shapes that do not fit": (_edited(lambda g: _replace(g, "kernel", _weight("kernel", 8, 4, 3, 3))), "toy.onnx: "),
    "a reshape that does not fit": (
        _edited(lambda g: _replace(g, "split", _integers("split", 1, 3, 4, 4, 4))),
        "Dimension mismatch",
    ),
    "a weight that is not there": (_edited(lambda g: g.initializer.pop(0)), "kernel"),
    "open sizes": (
        _edited(lambda g: g.input[0].type.tensor_type.shape.dim[2].ClearField("dim_value")),
        r"input of known size with rows first, found shape \(1, 3, 0, 4\)",
    ),
    "one dimension": (
        _edited(lambda g: g.input[0].CopyFrom(_value("x", 48))),
        "toy.onnx: ",
    ),
    "two inputs": (_edited(_two_inputs), "expected a graph with one input, found x, other"),
    "a shape that depends on values": (
        _edited(_shape_from_values),
        "the shape of reshape 'features' depends on values",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files_are_refused_naming_the_file_and_what_is_wrong(capfd, damage):
    make, says = DAMAGES[damage]
    with pytest.raises(ModelFileError, match=says) as caught:
        onnx_format.read(make(), None, "toy.onnx")
    assert str(caught.value).startswith("toy.onnx: ")
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


def test_an_unknown_output_is_refused():
    with pytest.raises(ModelFileError, match=r"toy\.onnx: the graph has no tensor age"):
        onnx_format.read(WHOLE, {"age": "age"}, "toy.onnx")


def test_rows_that_mix_are_found_out():
    model = _model(
        [_node("ReduceMean", "x", "mean", axes=[0], keepdims=1), _node("Sub", "x mean", "y")],
        [_value("x", 1, 3)],
        [_value("y", 1, 3)],
    )
    with pytest.raises(ModelFileError, match="output 'y' of a row changes with the rows beside it"):
        onnx_format.read(model.SerializeToString())


@pytest.mark.weights
@pytest.mark.parametrize(
    "name", ["fr-expression", "fr-pose", "fr-age", "fr-gender", "fr-feature", "fr-landmark", "fr-detect"]
)
def test_the_real_networks_equal_onnxruntime_alone_and_in_a_batch(name):
    reference = json.loads((Path(__file__).parent / "fixtures" / "onnx_outputs.json").read_text())
    program = zoo.load(name).program()
    x_NCHW = torch.from_numpy(four(program.input_shape, *reference["ranges"][name]))
    with torch.no_grad():
        together, alone = program(x_NCHW), program(x_NCHW[:1])
    assert set(together) == set(reference["networks"][name])
    for output, expected in reference["networks"][name].items():
        step = reference["step"].get(output, 1)
        np.testing.assert_allclose(together[output][:, ::step].flatten(1), expected, atol=1e-4)
        np.testing.assert_allclose(alone[output][:, ::step].flatten(1), expected[:1], atol=1e-4)
