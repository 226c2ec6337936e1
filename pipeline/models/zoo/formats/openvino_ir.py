"""OpenVINO IR, versions 10 and 11: a graph in XML, its constants in a file of raw bytes.

The reader gives back the graph as it is written; it runs nothing. A converter walks it from a layer that it knows by
name to the layers that feed it (`inputs`) or use it (`consumer`).
"""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from pipeline.errors import ModelFileError

VERSIONS = ("10", "11")
ELEMENT_TYPES = {
    "f64": "<f8", "f32": "<f4", "f16": "<f2", "i64": "<i8", "i32": "<i4", "i16": "<i2", "i8": "i1", "u8": "u1",
    "boolean": "?",
}  # fmt: skip


@dataclass(frozen=True)
class Layer:
    """One operation: its input layers are ids, in the order of its ports."""

    id: str
    name: str
    type: str
    attributes: Mapping[str, str]
    inputs: tuple[str, ...]


@dataclass(frozen=True)
class IRGraph:
    """A network as written: layers by id, and the constants' values by layer id."""

    name: str
    layers: Mapping[str, Layer]
    constants: Mapping[str, Tensor]
    consumers: Mapping[str, tuple[str, ...]]

    def find(self, name: str, type: str | None = None) -> Layer:
        """The one layer of this name (and type). Raises ModelFileError if there is none, or more than one."""
        found = [layer for layer in self.layers.values() if layer.name == name and type in (None, layer.type)]
        if len(found) != 1:
            count = "no" if not found else f"{len(found)} layers named"
            raise ModelFileError(f"{self.name}: the graph has {count} {name!r}{f' of type {type}' if type else ''}")
        return found[0]

    def constant(self, layer: Layer) -> Tensor:
        """The value of a Const layer, in the file's own dtype."""
        if layer.id not in self.constants:
            raise ModelFileError(f"{self.name}: layer {layer.name!r} is {layer.type}, a Const was expected")
        return self.constants[layer.id]

    def input(self, layer: Layer, port: int) -> Layer:
        """The layer which feeds a port."""
        if port >= len(layer.inputs):
            raise ModelFileError(f"{self.name}: layer {layer.name!r} has no input {port}")
        return self.layers[layer.inputs[port]]

    def operand(self, layer: Layer) -> Tensor:
        """The constant operand of a layer with two inputs, whichever side it is on."""
        values = [self.constants[i] for i in layer.inputs if i in self.constants]
        if len(values) != 1:
            raise ModelFileError(f"{self.name}: layer {layer.name!r} has {len(values)} constant inputs, expected one")
        return values[0]

    def consumer(self, layer: Layer, *types: str) -> Layer:
        """The one layer that uses this one's output, which must be of one of these types."""
        found = [self.layers[i] for i in self.consumers.get(layer.id, ()) if self.layers[i].type in types]
        if len(found) != 1:
            wanted = " or ".join(types)
            raise ModelFileError(
                f"{self.name}: layer {layer.name!r} feeds {len(found)} layers of type {wanted}, not one"
            )
        return found[0]


def read(xml: bytes, bin: bytes, name: str) -> IRGraph:
    """Read a network from the bytes of its two files.

    Args:
        xml: the graph.
        bin: the constants.
        name: what error messages call the network.

    Raises:
        ModelFileError: the XML is malformed, declares a DOCTYPE (an entity could expand without bound), is of another
            version, lacks a part of the graph, or a constant has an unknown element type or lies outside `bin`.
    """
    net = _parse(xml, name)
    inputs = _inputs(net, name)
    layers: dict[str, Layer] = {}
    constants: dict[str, Tensor] = {}
    for element in _child(net, "layers", name):
        data = element.find("data")
        layer = Layer(
            id=_attribute(element, "id", name),
            name=_attribute(element, "name", name),
            type=_attribute(element, "type", name),
            attributes=dict(data.attrib) if data is not None else {},
            inputs=inputs.get(_attribute(element, "id", name), ()),
        )
        if layer.id in layers:
            raise ModelFileError(f"{name}.xml: two layers have the id {layer.id}")
        layers[layer.id] = layer
        if layer.type == "Const":
            constants[layer.id] = _constant(layer, bin, name)
    consumers = defaultdict(list)
    for layer in layers.values():
        for source in layer.inputs:
            if source not in layers:
                raise ModelFileError(f"{name}.xml: layer {layer.name!r} is fed by layer {source}, which is missing")
            consumers[source].append(layer.id)
    for target in inputs.keys() - layers.keys():
        raise ModelFileError(f"{name}.xml: an edge leads to layer {target}, which is missing")
    return IRGraph(name, layers, constants, {source: tuple(targets) for source, targets in consumers.items()})


def _parse(xml: bytes, name: str) -> ET.Element:
    if re.search(rb"<!\s*(DOCTYPE|ENTITY)", xml, re.IGNORECASE) or b"\x00" in xml:
        raise ModelFileError(f"{name}.xml: a document type declaration or UTF-16 is not accepted in a model file")
    try:
        net = ET.fromstring(xml)
    except (ET.ParseError, ValueError, LookupError) as error:
        raise ModelFileError(f"{name}.xml: not well-formed XML: {error}") from None
    version = net.get("version")
    if net.tag != "net" or version not in VERSIONS:
        raise ModelFileError(f"{name}.xml: <{net.tag} version={version!r}> is not OpenVINO IR {' or '.join(VERSIONS)}")
    return net


def _inputs(net: ET.Element, name: str) -> dict[str, tuple[str, ...]]:
    """Ids of the layers which feed each layer, in port order."""
    ports: dict[str, dict[int, str]] = defaultdict(dict)
    for edge in _child(net, "edges", name):
        port = _attribute(edge, "to-port", name)
        if not port.isdecimal():
            raise ModelFileError(f"{name}.xml: an edge leads to the port {port!r}")
        ports[_attribute(edge, "to-layer", name)][int(port)] = _attribute(edge, "from-layer", name)
    return {layer: tuple(fed[port] for port in sorted(fed)) for layer, fed in ports.items()}


def _constant(layer: Layer, bin: bytes, name: str) -> Tensor:
    what = f"{name}: constant {layer.name!r}"
    element_type = layer.attributes.get("element_type", "")
    if element_type not in ELEMENT_TYPES:
        raise ModelFileError(f"{what} has the unknown element type {element_type!r}")
    try:
        shape = tuple(int(n) for n in layer.attributes["shape"].split(",") if n.strip())
        offset, size = int(layer.attributes["offset"]), int(layer.attributes["size"])
    except (KeyError, ValueError) as error:
        raise ModelFileError(f"{what} has no valid shape, offset and size: {error}") from None
    dtype = np.dtype(ELEMENT_TYPES[element_type])
    if min(shape, default=0) < 0 or math.prod(shape) * dtype.itemsize != size:
        raise ModelFileError(f"{what} of shape {shape} and type {element_type} cannot have {size} bytes")
    end = offset + size
    if offset < 0 or end > len(bin):
        raise ModelFileError(f"{what} lies at bytes {offset} to {end}, {name}.bin has {len(bin)}: is it truncated?")
    values = np.frombuffer(bin, dtype, count=math.prod(shape), offset=offset).reshape(shape)
    return torch.from_numpy(values.copy())


def _child(element: ET.Element, tag: str, name: str) -> ET.Element:
    child = element.find(tag)
    if child is None:
        raise ModelFileError(f"{name}.xml: <{element.tag}> has no <{tag}>")
    return child


def _attribute(element: ET.Element, key: str, name: str) -> str:
    value = element.get(key)
    if value is None:
        raise ModelFileError(f"{name}.xml: a <{element.tag}> has no {key!r}")
    return value
