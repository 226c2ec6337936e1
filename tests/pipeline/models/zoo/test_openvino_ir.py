"""A network of four layers, read and damaged."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import ModelFileError
from pipeline.models.zoo.formats import openvino_ir

WEIGHT = np.arange(6, dtype="<f4").reshape(2, 3)
AXIS = np.array(-7, "<i8")
BIN = WEIGHT.tobytes() + AXIS.tobytes()
XML = """<?xml version="1.0"?>
<net name="toy" version="10">
  <layers>
    <layer id="0" name="x" type="Parameter" version="opset1"><data shape="1, 3" element_type="f32"/></layer>
    <layer id="1" name="weight" type="Const"><data element_type="f32" shape="2, 3" offset="0" size="24"/></layer>
    <layer id="2" name="axis" type="Const"><data element_type="i64" shape="" offset="24" size="8"/></layer>
    <layer id="3" name="product" type="MatMul"><data transpose_b="true"/></layer>
    <layer id="4" name="result" type="Result"/>
  </layers>
  <edges>
    <edge from-layer="1" from-port="0" to-layer="3" to-port="1"/>
    <edge from-layer="0" from-port="0" to-layer="3" to-port="0"/>
    <edge from-layer="3" from-port="2" to-layer="4" to-port="0"/>
  </edges>
</net>"""


def read(xml: str = XML, content: bytes = BIN) -> openvino_ir.IRGraph:
    return openvino_ir.read(xml.encode(), content, "toy")


def test_layers_edges_and_constants() -> None:
    graph = read()
    product = graph.find("product")
    assert product.type == "MatMul"
    assert product.attributes == {"transpose_b": "true"}
    assert graph.input(product, 0).name == "x", "inputs are in the order of the ports, not of the edges"
    assert graph.input(product, 1).name == "weight"
    assert torch.equal(graph.operand(product), torch.from_numpy(WEIGHT))
    assert graph.constant(graph.find("axis")).item() == -7
    assert graph.constant(graph.find("axis")).shape == ()
    assert graph.consumer(graph.find("weight"), "Add", "MatMul") is product


@given(
    shape=st.lists(st.integers(1, 4), max_size=3),
    kind=st.sampled_from(["f64", "f32", "f16", "i64", "i32", "i16", "i8", "u8"]),
    offset=st.integers(0, 16),
    seed=st.integers(0, 9),
)
def test_any_constant_is_read_back(shape: list[int], kind: str, offset: int, seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 100, shape).astype(openvino_ir.ELEMENT_TYPES[kind])
    data = f'element_type="{kind}" shape="{", ".join(map(str, shape))}" offset="{offset}" size="{values.nbytes}"'
    xml = f'<net version="11"><layers><layer id="0" name="c" type="Const"><data {data}/></layer></layers><edges/></net>'
    graph = read(xml, b"\x99" * offset + values.tobytes() + b"\x99")
    np.testing.assert_array_equal(graph.constant(graph.find("c")).numpy(), values)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("</net>", "", "not well-formed XML"),
        ('version="10"', 'version="7"', "version='7'.*IR 10 or 11"),
        ("net", "model", "<model"),
        ("<net", "<!DOCTYPE net [<!ENTITY a 'aa'>]><net", "document type"),
        ("<edges>", "<links>", "not well-formed|no <edges>"),
        ("layers>", "nodes>", "no <layers>"),
        (' type="MatMul"', "", "no 'type'"),
        ('id="2"', 'id="1"', "two layers have the id 1"),
        ('to-port="1"', 'to-port="one"', "port 'one'"),
        ('from-layer="0"', 'from-layer="9"', "'product' is fed by layer 9, which is missing"),
        ('to-layer="4"', 'to-layer="9"', "leads to layer 9, which is missing"),
        ('element_type="i64"', 'element_type="q3"', "constant 'axis' has the unknown element type 'q3'"),
        ('offset="24"', 'offset="25"', "constant 'axis' lies at bytes 25 to 33, toy.bin has 32"),
        ('offset="0"', 'offset="-4"', "constant 'weight' lies at bytes -4"),
        ('offset="0"', 'offset="zero"', "constant 'weight' has no valid"),
        ('size="24"', 'size="20"', r"constant 'weight' of shape \(2, 3\) and type f32 cannot have 20 bytes"),
        ('shape="2, 3"', 'shape="-2, -3"', r"constant 'weight' of shape \(-2, -3\)"),
        ('shape="2, 3"', "", "constant 'weight' has no valid"),
    ],
)
def test_a_damaged_graph_is_refused_by_name(old: str, new: str, message: str) -> None:
    assert old in XML
    with pytest.raises(ModelFileError, match=message) as raised:
        read(XML.replace(old, new))
    assert "toy" in str(raised.value)


@pytest.mark.parametrize("kept", [0, 12, 31])
def test_truncated_constants_are_refused(kept: int) -> None:
    with pytest.raises(ModelFileError, match=rf"toy\.bin has {kept}: is it truncated"):
        read(content=BIN[:kept])


def test_what_a_converter_looks_for_in_vain_is_named() -> None:
    graph = read()
    with pytest.raises(ModelFileError, match="no 'bias'"):
        graph.find("bias")
    with pytest.raises(ModelFileError, match="no 'weight' of type Add"):
        graph.find("weight", "Add")
    with pytest.raises(ModelFileError, match="'product' is MatMul, a Const"):
        graph.constant(graph.find("product"))
    with pytest.raises(ModelFileError, match="'product' has no input 2"):
        graph.input(graph.find("product"), 2)
    with pytest.raises(ModelFileError, match="'result' has 0 constant inputs"):
        graph.operand(graph.find("result"))
    with pytest.raises(ModelFileError, match="'weight' feeds 0 layers of type Add, not one"):
        graph.consumer(graph.find("weight"), "Add")
