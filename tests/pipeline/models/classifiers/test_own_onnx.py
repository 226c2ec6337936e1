"""Classifiers as ONNX: the operators that exporters of small networks write, against onnxruntime; hostile graphs."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from pipeline.errors import ModelFileError, StylemillError
from pipeline.models.classifiers import own_weights

RANDOM = np.random.default_rng(0)
HW = (16, 12)


def weight(name, *shape):
    return numpy_helper.from_array((RANDOM.normal(size=shape) / 2).astype(np.float32), name)


def node(op, inputs, output, **attributes):
    return helper.make_node(op, inputs.split(), [output], **attributes)


def model(nodes, weights, output="y", shape=("rows", 3, *HW), opset=17):
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, list(shape))]
    outputs = [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["rows", 4])]
    graph = helper.make_graph(nodes, "small", inputs, outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def positive(name, *shape):
    return numpy_helper.from_array(RANDOM.uniform(0.5, 1.5, size=shape).astype(np.float32), name)


CONV = node("Conv", "x kernel bias", "c", pads=[1, 1, 1, 1], strides=[2, 2])
KERNEL = [weight("kernel", 8, 3, 3, 3), weight("bias", 8)]
NORM = [weight("scale", 8), weight("shift", 8), weight("mean", 8), positive("variance", 8)]
POOL = [node("GlobalAveragePool", "a", "p"), node("Flatten", "p", "f", axis=1)]
HEAD = [node("Gemm", "f w b", "logits", transB=1)]
LINEAR = [weight("w", 4, 8), weight("b", 4)]


def one(value, name):
    return numpy_helper.from_array(np.array(value, np.float32), name)


GRAPHS = {
    "batch norm": ([node("BatchNormalization", "c scale shift mean variance", "n"), node("Relu", "n", "a")], NORM),
    "relu6": ([node("Clip", "c low high", "a")], [one(0, "low"), one(6, "high")]),
    "hard swish": ([node("HardSwish", "c", "a")], []),
    "hard sigmoid": ([node("HardSigmoid", "c", "s", alpha=1 / 6, beta=0.5), node("Mul", "c s", "a")], []),
    "swish": ([node("Sigmoid", "c", "s"), node("Mul", "c s", "a")], []),
    "leaky": ([node("LeakyRelu", "c", "a", alpha=0.1)], []),
    "max pool": ([node("MaxPool", "c", "a", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])], []),
    "average pool": ([node("AveragePool", "c", "a", kernel_shape=[2, 2], strides=[2, 2])], []),
    "a residual": ([node("Relu", "c", "r"), node("Add", "c r", "a")], []),
    "depthwise": ([node("Conv", "c deep", "a", group=8, pads=[1, 1, 1, 1])], [weight("deep", 8, 1, 3, 3)]),
    "squeeze and excite": (
        [
            node("GlobalAveragePool", "c", "q"), node("Conv", "q e", "g"), node("Sigmoid", "g", "s"),
            node("Mul", "c s", "a"),
        ],
        [weight("e", 8, 8, 1, 1)],
    ),
    "branches": (
        [node("Relu", "c", "r"), node("Concat", "c r", "j", axis=1), node("Conv", "j e", "a")],
        [weight("e", 8, 16, 1, 1)],
    ),
}  # fmt: skip


def classifier(name):
    nodes, weights = GRAPHS[name]
    return model([CONV, *nodes, *POOL, *HEAD, node("Softmax", "logits", "y", axis=1)], [*KERNEL, *weights, *LINEAR])


def read(path, graph, output=None, hw=HW):
    path.write_bytes(graph.SerializeToString() if isinstance(graph, onnx.ModelProto) else graph)
    return own_weights.read(str(path), None, output, hw).network


@pytest.mark.parametrize("name", GRAPHS)
def test_logits_before_the_softmax_are_those_of_onnxruntime(name, tmp_path):
    graph = classifier(name)
    x = RANDOM.normal(size=(3, 3, *HW)).astype(np.float32)
    (expected,) = onnxruntime.InferenceSession(graph.SerializeToString()).run(["y"], {"x": x})
    picture = torch.from_numpy(x).requires_grad_()
    logits = read(tmp_path / "net.onnx", graph)(picture)
    np.testing.assert_allclose(logits.detach().softmax(1), expected, atol=1e-5)
    assert abs(float(logits.detach().sum(1).mean()) - 1) > 1e-3  # no probabilities, which would saturate
    (gradient,) = torch.autograd.grad(logits[0, 1], picture)
    assert gradient[0].abs().max() > 0
    assert not gradient[1:].any()


def test_a_tensor_is_chosen_by_name_and_a_sigmoid_is_left_out(tmp_path):
    nodes = [CONV, node("Relu", "c", "a"), *POOL, *HEAD, node("Sigmoid", "logits", "y")]
    graph = model(nodes, [*KERNEL, *LINEAR])
    x = torch.randn(2, 3, *HW)
    whole, inner = (read(tmp_path / "net.onnx", graph, output)(x) for output in ("y", "logits"))
    assert torch.equal(whole, inner)


def huge():
    shape = helper.make_tensor("shape", TensorProto.INT64, [1], [1 << 46])
    value = helper.make_tensor("value", TensorProto.FLOAT, [1], [1.0])
    nodes = [node("ConstantOfShape", "shape", "much", value=value), node("ReduceSum", "much", "s", keepdims=0)]
    return model(
        [*nodes, CONV, node("Relu", "c", "a"), *POOL, *HEAD, node("Add", "logits s", "y")], [*KERNEL, *LINEAR, shape]
    )


def circle():
    nodes = [node("Add", "x z", "y"), node("Relu", "y", "z")]
    return model(nodes, [])


SMALL = classifier("leaky").SerializeToString()


@pytest.mark.parametrize(
    ("content", "hw", "message"),
    [
        (SMALL[:200], HW, "ONNX"),
        (SMALL[: len(SMALL) - 40], HW, "net.onnx"),
        (b"\x08" + bytes(range(256)) * 4, HW, "not an ONNX file"),
        (
            model([CONV, node("Relu", "c", "y")], KERNEL, shape=("n", 3, 99, 99)),
            HW,
            "takes pictures of n x 3 x 99 x 99",
        ),
        (model([node("Relu", "x", "y")], [], shape=(1, 16, 12, 3)), HW, "write it with channels first"),
        (model([node("Relu", "x", "y")], [], shape=(1, 1 << 40, 16, 12)), HW, "a classifier takes N x 3 x H x W"),
        (model([node("NonZero", "x", "y")], []), HW, "net.onnx"),
        (circle(), HW, "net.onnx"),
        (huge(), HW, "net.onnx"),
    ],
)
def test_a_hostile_or_unfit_graph_is_one_line(content, hw, message, tmp_path):
    with pytest.raises(StylemillError, match=message) as raised:
        read(tmp_path / "net.onnx", content, hw=hw)
    assert "\n" not in str(raised.value)


def test_an_output_that_is_not_there(tmp_path):
    with pytest.raises(ModelFileError, match="no tensor features"):
        read(tmp_path / "net.onnx", SMALL, "features")
