"""tfjs graph models: operators, whole files, weights in every stored form, damaged files, and the real networks."""

import json
from pathlib import Path

import formula_pictures
import numpy as np
import pytest
import torch
import toy_tfjs
from toy_tfjs import GraphModel, integers, node, placeholder, text, texts, window

from pipeline.errors import ModelFileError
from pipeline.models import zoo
from pipeline.models.program import Program
from pipeline.models.zoo.formats import tfjs

RANDOM = np.random.default_rng(0)


def _values(*shape):
    return RANDOM.normal(size=shape).astype(np.float32)


def _run(model, x_NHWC, outputs=None, **options):
    """The model's outputs for NHWC pictures; pictures come back as NHWC too."""
    program = tfjs.read(model.files(), outputs, **options)
    with torch.no_grad():
        results = program(torch.from_numpy(x_NHWC.astype(np.float32)).permute(0, 3, 1, 2))
    return {k: (v.permute(0, 2, 3, 1) if v.dim() == 4 else v).numpy() for k, v in results.items()}


SIZES = [(8, 8, 1), (8, 8, 2), (7, 9, 2), (9, 6, 2), (5, 5, 3)]


@pytest.mark.parametrize(("height", "width", "stride"), SIZES)
def test_same_convolutions_and_pools_place_their_windows_as_tensorflow(height, width, stride):
    kernel, thin = _values(3, 3, 2, 4), _values(3, 3, 2, 3)
    model = GraphModel(
        placeholder(-1, height, width, 2),
        node("convolution", "Conv2D", "x", "kernel", **window(stride=stride)),
        node("depthwise", "DepthwiseConv2dNative", "x", "thin", **window(stride=stride)),
        node("greatest", "MaxPool", "x", **window(stride=stride, kernel=3)),
        node("average", "AvgPool", "x", **window(stride=stride, kernel=3)),
        kernel=kernel,
        thin=thin,
    )
    x_NHWC = _values(3, height, width, 2)
    y = _run(model, x_NHWC)
    np.testing.assert_allclose(y["convolution"], toy_tfjs.convolve(x_NHWC, kernel, stride), atol=1e-5)
    np.testing.assert_allclose(y["depthwise"], toy_tfjs.depthwise(x_NHWC, thin, stride), atol=1e-5)
    np.testing.assert_allclose(y["greatest"], toy_tfjs.pool(x_NHWC, 3, stride, np.max), atol=1e-5)
    np.testing.assert_allclose(y["average"], toy_tfjs.pool(x_NHWC, 3, stride, np.mean), atol=1e-5)


def test_valid_and_explicit_padding():
    kernel = _values(3, 3, 2, 4)
    explicit = window("EXPLICIT") | {"explicit_paddings": integers(0, 0, 2, 0, 1, 1, 0, 0)}
    model = GraphModel(
        placeholder(-1, 6, 6, 2),
        node("valid", "Conv2D", "x", "kernel", **window("VALID")),
        node("explicit", "Conv2D", "x", "kernel", **explicit),
        kernel=kernel,
    )
    x_NHWC = _values(2, 6, 6, 2)
    y = _run(model, x_NHWC)
    whole = toy_tfjs.convolve(np.pad(x_NHWC, ((0, 0), (2, 0), (1, 1), (0, 0))), kernel, 1)
    np.testing.assert_allclose(y["explicit"], whole[:, 1:-1, 1:-1], atol=1e-5)
    np.testing.assert_allclose(y["valid"], toy_tfjs.convolve(x_NHWC, kernel, 1)[:, 1:-1, 1:-1], atol=1e-5)


def test_bilinear_resizing_by_a_size_that_is_computed_on_the_way():
    model = GraphModel(
        placeholder(1, 5, 7, 3),
        node("shape", "Shape", "x"),
        node("height", "StridedSlice", "shape", "one", "two", "one", shrink_axis_mask={"i": "1"}),
        node("width", "StridedSlice", "shape", "two", "three", "one", shrink_axis_mask={"i": "1"}),
        node("tall", "Mul", "height", "factor"),
        node("size", "Pack", "tall", "width", axis={"i": "0"}),
        node("resized", "ResizeBilinear", "x", "size"),
        one=np.array([1], np.int32),
        two=np.array([2], np.int32),
        three=np.array([3], np.int32),
        factor=np.array(4, np.int32),
    )
    x_NHWC = _values(2, 5, 7, 3)
    np.testing.assert_allclose(_run(model, x_NHWC)["resized"], toy_tfjs.resize_bilinear(x_NHWC, 20, 7), atol=1e-5)


def _classifier():
    """Convolution, normalisation and ReLU6 as exporters leave them, depthwise, pool, two heads; rows fixed to 1."""
    return GraphModel(
        placeholder(1, 8, 8, 3),
        node("convolution", "Conv2D", "x", "kernel", **window(stride=2)),
        node("scaled", "Mul", "convolution", "scale"),
        node("shifted", "Add", "scaled", "shift"),
        node("relu", "Relu", "shifted"),
        node("minimum", "Minimum", "relu", "six"),
        node("relu6", "Maximum", "minimum", "zero"),
        node("depthwise", "DepthwiseConv2dNative", "relu6", "thin", **window()),
        node("depthwise_scaled", "Mul", "depthwise", "thin_scale"),
        node("pooled", "Mean", "depthwise_scaled", "axes", keep_dims={"b": True}),
        node("flat", "Reshape", "pooled", "shape"),
        node("logits", "_FusedMatMul", "flat", "matrix", "bias", fused_ops=texts("BiasAdd"), transpose_b={"b": False}),
        node("probabilities", "Softmax", "logits"),
        kernel=_values(3, 3, 3, 4),
        scale=_values(4),
        shift=_values(4) + 2,
        six=np.float32(6),
        zero=np.float32(0),
        thin=_values(3, 3, 4, 2),
        thin_scale=_values(8),
        axes=np.array([1, 2], np.int32),
        shape=np.array([1, 8], np.int32),
        matrix=_values(8, 5),
        bias=_values(5),
    )


def _expected_logits(w, x_NHWC):
    y = np.clip(toy_tfjs.convolve(x_NHWC, w["kernel"], 2) * w["scale"] + w["shift"], 0, 6)
    return (toy_tfjs.depthwise(y, w["thin"], 1) * w["thin_scale"]).mean((1, 2)) @ w["matrix"] + w["bias"]


def test_a_whole_network_in_any_number_of_rows_and_its_logits():
    model = _classifier()
    x_NHWC = 3 * _values(3, 8, 8, 3)
    expected = _expected_logits(model.weights, x_NHWC)
    for rows in (1, 3):
        y = _run(model, x_NHWC[:rows], {"logits": "logits", "p": "probabilities:0", "inner": "shifted"})
        np.testing.assert_allclose(y["logits"], expected[:rows], atol=1e-4)
        np.testing.assert_allclose(y["p"], torch.tensor(expected[:rows]).softmax(1), atol=1e-5)
        assert y["inner"].shape == (rows, 4, 4, 4)
    assert list(_run(model, x_NHWC)) == ["probabilities"]  # its own outputs, where none are named


def test_scales_shifts_and_clamps_are_folded_unless_someone_looks_between():
    def operators(outputs):
        graph, _ = tfjs.read(_classifier().files(), outputs).parts()
        return [n["op"].split(".")[1] for n in graph["nodes"] if n["op"] != "aten.permute.default"]

    assert operators({"y": "depthwise_scaled"}) == ["pad", "conv2d", "clamp", "conv2d"]
    assert operators({"y": "depthwise_scaled", "between": "scaled"}).count("conv2d") == 2
    assert "add" in operators({"y": "depthwise_scaled", "between": "scaled"})


def test_gradients_reach_the_picture():
    program = tfjs.read(_classifier().files(), {"logits": "logits"})
    x_N3HW = torch.from_numpy(_values(2, 3, 8, 8)).requires_grad_()
    program(x_N3HW)["logits"].sum().backward()
    assert x_N3HW.grad.abs().max() > 0


def test_weights_are_read_in_every_form_that_they_are_stored_in():
    model = GraphModel(
        placeholder(-1, 2, 2, 3),
        node("a", "Add", "x", "half"),
        node("b", "Add", "a", "byte"),
        node("c", "Add", "b", "short"),
        half=np.zeros(3, np.float32),
        byte=np.zeros(3, np.float32),
        short=np.zeros(3, np.float32),
    )
    model.quantise("half", np.array([0.5, -2, 8], np.float16), dtype="float16", original_dtype="float32")
    model.quantise("byte", np.array([0, 10, 255], np.uint8), dtype="uint8", scale=0.25, min=-1.0)
    model.quantise("short", np.array([0, 1000, 65535], np.uint16), dtype="uint16", scale=0.5, min=3.0)
    y = _run(model, np.zeros((1, 2, 2, 3)))["c"]
    np.testing.assert_allclose(y[0, 0, 0], [0.5 - 1 + 3, -2 + 1.5 + 503, 8 + 62.75 + 32770.5], rtol=1e-6)


def test_open_sizes_are_asked_for_and_given_ones_are_kept():
    model = GraphModel(placeholder(1, -1, -1, 2), node("y", "Relu", "x"))
    with pytest.raises(ModelFileError, match="leaves height and width open"):
        tfjs.read(model.files())
    assert tfjs.read(model.files(), input_hw=(4, 6)).input_shape == (2, 4, 6)
    fixed = GraphModel(placeholder(1, 4, 6, 2), node("y", "Relu", "x"))
    with pytest.raises(ModelFileError, match="pictures of 4x6, not 8x8"):
        tfjs.read(fixed.files(), input_hw=(8, 8))


def _without(files, name):
    return {k: v for k, v in files.items() if k != name}


def _edited(edit):
    def damage(files):
        model = json.loads(files["model.json"])
        edit(model)
        return files | {"model.json": json.dumps(model).encode()}

    return damage


def _nodes(model):
    return {n["name"]: n for n in model["modelTopology"]["node"]}


def _first_weight(model):
    return model["weightsManifest"][0]["weights"][0]


SHARD = "group1-shard2of10.bin"
DAMAGES = {
    "truncated shard": (lambda f: f | {SHARD: f[SHARD][:-7]}, r"truncated: \d+ bytes end in weight 'bias'"),
    "missing shard": (lambda f: _without(f, SHARD), f"shard {SHARD} is missing"),
    "longer shard": (lambda f: f | {SHARD: f[SHARD] + b"1234"}, r"hold \d+ bytes, their manifest describes \d+"),
    "truncated json": (lambda f: f | {"model.json": f["model.json"][:-9]}, "not a tfjs graph model: JSONDecodeError"),
    "another json": (lambda f: f | {"model.json": b'{"layers": []}'}, "not a tfjs graph model: KeyError"),
    "json of a list": (lambda f: f | {"model.json": b"[]"}, "not a tfjs graph model: TypeError"),
    "not text": (lambda f: f | {"model.json": b"\xff\xfe\x00"}, "not a tfjs graph model"),
    "unknown operator": (_edited(lambda m: _nodes(m)["relu"].update(op="Erf")), "'relu' has operator Erf"),
    "unknown fused": (
        _edited(lambda m: _nodes(m)["logits"]["attr"].update(fused_ops=texts("BiasAdd", "Erf"))),
        r"'logits' \(_FusedMatMul\): fused operators BiasAdd, Erf are not known",
    ),
    "unknown padding": (
        _edited(lambda m: _nodes(m)["convolution"]["attr"].update(padding=text("REFLECT"))),
        r"'convolution' \(_FusedConv2D\): padding 'REFLECT'",
    ),
    "another layout": (
        _edited(lambda m: _nodes(m)["convolution"]["attr"].update(data_format=text("NCHW"))),
        r"'convolution' \(_FusedConv2D\): data format NCHW, expected NHWC",
    ),
    "wrong shape": (_edited(lambda m: _first_weight(m).update(shape=[3, 3, 3, 5])), "truncated|describes"),
    "transposed shape": (
        _edited(lambda m: _first_weight(m).update(shape=[4, 3, 3, 3])),
        "toy: node '[a-z0-9]+' .*size of tensor",
    ),
    "unknown type": (_edited(lambda m: _first_weight(m).update(dtype="complex64")), "'kernel' is of type complex64"),
    "no weight": (_edited(lambda m: _first_weight(m).update(name="other")), "no weight for the constant 'kernel'"),
    "no placeholder": (
        _edited(lambda m: _nodes(m)["x"].update(op="Const")),
        "the manifest has no weight for the constant 'x'|one placeholder",
    ),
    "two placeholders": (
        _edited(lambda m: _nodes(m)["shift"].update(op="Placeholder")),
        "one placeholder, found 2",
    ),
    "flat placeholder": (
        _edited(lambda m: _nodes(m)["x"]["attr"]["shape"]["shape"]["dim"].pop()),
        r"placeholder of shape \(N, H, W, C\), found \(1, 8, 8\)",
    ),
    "lost input": (_edited(lambda m: _nodes(m)["relu"].update(input=["gone"])), "from 'gone', which the graph"),
    "a loop": (_edited(lambda m: _nodes(m)["scaled"].update(input=["relu6", "scale"])), "takes its input from itself"),
    "two models": (lambda f: f | {"other.json": b"{}"}, "expected one .json file, found"),
    "no model": (lambda f: _without(f, "model.json"), "expected one .json file, found none"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files_are_refused_naming_the_file_and_what_is_wrong(damage):
    change, says = DAMAGES[damage]
    files = _classifier().files()
    assert SHARD in files
    with pytest.raises(ModelFileError, match=says) as caught:
        tfjs.read(change(files), {"logits": "logits"}, "toy")
    assert str(caught.value).startswith("toy: ")
    assert "\n" not in str(caught.value)


def test_an_unknown_output_is_refused():
    with pytest.raises(ModelFileError, match="toy: the graph has no node age"):
        tfjs.read(_classifier().files(), {"age": "age"}, "toy")


RANGES = {"faceres": (0, 255), "emotion": (-1, 1), "gear": (0, 1), "bisenet-celebamask": (-1, 1)}
PROBABILITIES = {  # our logits -> tfjs's own output of the same head
    "gender_logit": "gender",
    "age_logits": "age",
    "gender_logits": "gender",
    "race_logits": "race",
    "emotion_logits": "emotion",
    "parsing_logits_full": "parsing",
}


@pytest.mark.weights
@pytest.mark.parametrize("name", RANGES)
def test_the_real_networks_equal_tfjs(name):
    reference = json.loads((Path(__file__).parent / "fixtures" / "tfjs_outputs.json").read_text())
    program: Program = zoo.load(name).program()
    channels, height, width = program.input_shape
    for picture in ("noise", "waves"):
        expected = reference["networks"][name][picture]
        pixels = getattr(formula_pictures, picture)(height, width, channels)
        with torch.no_grad():
            outputs = program(torch.from_numpy(formula_pictures.batch([pixels], *RANGES[name])))
        for output, whole in outputs.items():
            step = reference["step"].get(output, 1)
            y = whole[..., ::step, ::step] if whole.dim() == 4 else whole
            np.testing.assert_allclose(y.ravel(), expected[output], atol=1e-4)
            if output in PROBABILITIES:
                p = y.sigmoid() if output == "gender_logit" else y.softmax(1)
                np.testing.assert_allclose(p.ravel(), expected[PROBABILITIES[output]], atol=1e-5)
