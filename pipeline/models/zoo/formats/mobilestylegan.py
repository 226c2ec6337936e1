"""MobileStyleGAN: from its two OpenVINO graphs to the state dict of `pipeline.models.generators.mobilestylegan`.

Most weights carry their name in the graph; noise maps, the demodulated 1x1 weights and the factor on the style do not,
and are found by walking the graph from a neighbour that does. What our module fixes in code (slopes, gains, the taps
of the wavelet) is compared with the graph here.

Two things are rewritten. The constant factor between a style and its channels goes into the weights. And the channels
that enter a wavelet transform are put in band-major order (all LL, all LH, all HL, all HH; the graph has LL, then LH,
HL, HH of each channel), so that the module reads each band as one slice: the layer before writes them in that order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from pipeline.errors import ModelFileError
from pipeline.models.zoo.formats import openvino_ir
from pipeline.models.zoo.formats.openvino_ir import IRGraph, Layer

BLOCKS = 7
MAPPING_LAYERS = 8


def convert(members: Mapping[str, bytes]) -> dict[str, Tensor]:
    """The named tensors of both networks.

    Args:
        members: bytes of `.../MappingNetwork.{xml,bin}` and `.../SynthesisNetwork.{xml,bin}`, by their path.

    Returns:
        tensors named `mapping.*` and `synthesis.*`, in the files' dtype.

    Raises:
        ModelFileError: a file is missing or damaged, or the graph is not that of MobileStyleGAN.
    """
    mapping = _mapping(_graph(members, "MappingNetwork"))
    synthesis = _synthesis(_graph(members, "SynthesisNetwork"))
    return {f"mapping.{k}": v for k, v in mapping.items()} | {f"synthesis.{k}": v for k, v in synthesis.items()}


def _graph(members: Mapping[str, bytes], name: str) -> IRGraph:
    files = {path.rsplit("/", 1)[-1]: content for path, content in members.items()}
    for file in (f"{name}.xml", f"{name}.bin"):
        if file not in files:
            raise ModelFileError(f"MobileStyleGAN: the file {file} is missing")
    return openvino_ir.read(files[f"{name}.xml"], files[f"{name}.bin"], name)


def _mapping(graph: IRGraph) -> dict[str, Tensor]:
    layers = [layer for layer in graph.layers.values() if layer.type == "MatMul"]
    if len(layers) != MAPPING_LAYERS:
        raise ModelFileError(f"{graph.name}: {len(layers)} linear layers, expected {MAPPING_LAYERS}")
    tensors = {}
    for i, linear in enumerate(layers):
        add = graph.consumer(linear, "Add")
        relu = graph.consumer(add, "PReLU")
        _expect(graph, relu, 0.2)
        _expect(graph, graph.consumer(relu, "Multiply"), math.sqrt(2))
        tensors[f"{i}.weight"] = graph.operand(linear)
        tensors[f"{i}.bias"] = graph.constant(graph.input(graph.input(add, 1), 0))
    return tensors


def _synthesis(graph: IRGraph) -> dict[str, Tensor]:
    for layer in graph.layers.values():
        if layer.type == "PReLU":
            _expect(graph, layer, 0.2)
        if layer.type == "GroupConvolutionBackpropData":
            _expect_haar_taps(graph, layer)
    tensors = {"const": graph.constant(graph.find("m.input.input"))[0]}
    tensors |= _convolution(graph, "m.conv1", "conv1", bands=True)
    for i in range(BLOCKS):
        source, target = f"m.layers.{i}", f"blocks.{i}"
        tensors |= {
            f"{target}.up.affine.weight": _bands(graph.constant(graph.find(f"{source}.up.modulation.weight"))),
            f"{target}.up.affine.bias": _bands(graph.constant(graph.find(f"{source}.up.modulation.bias"))[0]),
        }
        tensors |= _convolution(graph, f"{source}.conv1", f"{target}.conv1", bands=False)
        tensors |= _convolution(graph, f"{source}.conv2", f"{target}.conv2", bands=i + 1 < BLOCKS)
    return tensors | _convolution(graph, f"m.layers.{BLOCKS - 1}.to_img", "to_image", bands=True)


def _convolution(graph: IRGraph, source: str, target: str, bands: bool) -> dict[str, Tensor]:
    """One modulated convolution. `bands`: its output enters a wavelet transform."""
    affine_bias = graph.find(f"{source}.conv.modulation.bias")
    scaled = graph.consumer(graph.consumer(graph.consumer(affine_bias, "Add"), "Reshape"), "Multiply")
    scale = graph.operand(scaled).reshape(())
    modulated = graph.consumer(scaled, "Multiply")
    first = graph.consumer(modulated, "Convolution", "GroupConvolution")
    tensors = {
        "affine.weight": graph.constant(graph.find(f"{source}.conv.modulation.weight")),
        "affine.bias": graph.constant(affine_bias)[0],
        "bias": graph.constant(graph.find(f"{source}.bias")).flatten(),
    }
    weight = graph.operand(first)
    last = first
    if first.type == "GroupConvolution":
        tensors["depthwise"] = weight[:, 0] * scale
        last = graph.consumer(first, "Convolution")
        tensors["pointwise"] = graph.operand(last)[:, :, 0, 0]
    else:
        tensors["weight"] = (weight if weight.shape[-1] > 1 else weight[:, :, 0, 0]) * scale
    noise = graph.operand(graph.consumer(last, "Add"))
    if noise.shape[1] == 1:
        tensors["noise"] = noise[0]
    if bands:
        for name in {"bias", "weight", "pointwise"} & tensors.keys():
            tensors[name] = _bands(tensors[name])
    return {f"{target}.{name}": tensor.contiguous() for name, tensor in tensors.items()}


def _bands(x: Tensor) -> Tensor:
    """Channels (first dimension) from [LL of all, then LH, HL, HH of each] to band-major order."""
    quarter = len(x) // 4
    details = x[quarter:].unflatten(0, (quarter, 3)).transpose(0, 1).flatten(0, 1)
    return torch.cat([x[:quarter], details]).contiguous()


def _expect(graph: IRGraph, layer: Layer, value: float) -> None:
    found = graph.operand(layer)
    if found.numel() != 1 or not math.isclose(found.item(), value, rel_tol=1e-6):
        raise ModelFileError(f"{graph.name}: layer {layer.name!r} has the factor {found.tolist()}, expected {value}")


def _expect_haar_taps(graph: IRGraph, layer: Layer) -> None:
    taps = graph.operand(layer).flatten(1)
    low = taps.new_tensor([0.5, 0.5]).sqrt()
    if not any(torch.allclose(taps, expected.expand_as(taps)) for expected in (low, low * low.new_tensor([1, -1]))):
        raise ModelFileError(f"{graph.name}: layer {layer.name!r} is no inverse Haar transform")
