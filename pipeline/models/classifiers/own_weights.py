"""Weights of a classifier of one's own, told by their content: a ResNet's state dict, a graph, or a linear head.

Nothing in a file is run. What could only be read by running it is refused, with what to do in its place.
"""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

import torch
from torch import Tensor, nn

from pipeline.errors import ModelFileError, SpecError
from pipeline.file_content import check_content
from pipeline.models.checkpoints import files
from pipeline.models.checkpoints.reference import Reference
from pipeline.models.classifiers.features import FEATURES
from pipeline.models.classifiers.networks import Networks
from pipeline.models.classifiers.resnet import CONVERT, ResNet, is_resnet
from pipeline.models.program import Program
from pipeline.models.zoo import formats
from pipeline.models.zoo.formats import exported
from pipeline.urls import mistake

SUPPORTED = (
    "a classifier is a state dict of a ResNet with torchvision's names (.pth, .pt, .safetensors), an .onnx, or a "
    ".pt2 of torch.export"
)
ZIP, ONNX = b"PK\x03\x04", b"\x08"
"""First bytes of what torch writes, and of a graph of ONNX, which begins with its version."""


class Opened(NamedTuple):
    """A network, the absolute path or URL of its file, and that file's sha256."""

    network: nn.Module
    place: str
    digest: str


def read(place: str, sha256: str | None, output: str | None, size: tuple[int, int]) -> Opened:
    """The network of a file: (N, C, h, w) -> logits (N, K).

    output: which tensor of an ONNX graph, or which output of a .pt2; its only one by default. size: (h, w) of the
    pictures, of a graph that leaves it open.

    Raises:
        SpecError: a path that cannot be meant, or a URL without a digest.
        ModelFileError: there is no such file, it has another digest, is damaged, would run code, or holds something
            else.
    """
    content, found, digest = _content(place, sha256)
    name = PurePosixPath(place).name
    safetensors = content[8:9] == b"{" and int.from_bytes(content[:8], "little") < len(content)
    if content.startswith(ONNX) and not safetensors:
        return Opened(_graph(content, place, output, size), found, digest)
    if content.startswith(ZIP) and _is_exported(content, place):
        return Opened(_exported(content, place, output, size), found, digest)
    if output is not None:
        raise SpecError(
            f"{place}: `output` names a tensor of an ONNX graph or a .pt2, which this file is not: leave it out"
        )
    form = "safetensors" if safetensors else "pth"
    if form == "pth" and not content.startswith((ZIP, b"\x80")):
        raise ModelFileError(f"{place}: neither what torch.save writes, nor safetensors, nor ONNX; {SUPPORTED}")
    tensors = formats.convert(form, {name: content}, {}, place).tensors
    if not is_resnet(tensors):
        some = ", ".join(list(tensors)[:3])
        raise ModelFileError(f"{place}: holds no ResNet of torchvision ({some}, ...): {CONVERT}")
    return Opened(ResNet(tensors, place), found, digest)


def read_head(place: str, sha256: str | None, features: Sequence[str], networks: Networks) -> Opened:
    """A linear head, as `stylemill train classifier` writes it, behind the networks that make its features.

    Raises:
        SpecError: there are no such features.
        ModelFileError: as `read`, or the head is of other features.
    """
    if unknown := [name for name in features if name not in FEATURES]:
        raise SpecError(f"there are no features {unknown[0]!r}: choose among {', '.join(FEATURES)}")
    content, found, digest = _content(place, sha256)
    tensors = formats.convert("safetensors", {place: content}, {}, place).tensors
    if sorted(tensors) != ["intercept", "weight"] or tensors["weight"].dim() != 1 or tensors["intercept"].shape != (1,):
        raise ModelFileError(f"{place}: is no linear head, which has `weight` (F) and `intercept` (1) alone")
    return Opened(Head(features, tensors, networks), found, digest)


class Head(nn.Module):
    """One logit from frozen features: (N, 3, H, W) in [-1, 1] -> (N, 1)."""

    weight: Tensor
    intercept: Tensor

    def __init__(self, features: Sequence[str], tensors: dict[str, Tensor], networks: Networks) -> None:
        super().__init__()
        self.features = nn.ModuleList(FEATURES[name](networks) for name in features)
        self.register_buffer("weight", tensors["weight"].float())
        self.register_buffer("intercept", tensors["intercept"].float())

    def forward(self, x_N3HW: Tensor) -> Tensor:
        f_NF = torch.cat([one(x_N3HW) for one in self.features], dim=1)
        return (f_NF @ self.weight + self.intercept)[:, None]


def _content(place: str, sha256: str | None) -> tuple[bytes, str, str]:
    """Bytes of a file, its absolute path or URL, and its digest."""
    if why := mistake(place):
        raise SpecError(f"`weights` {place}: {why}")
    if "://" in place and sha256 is None:
        raise SpecError(
            f"{place}: weights at a URL need their `sha256` in the file, so that every machine has the same"
        )
    reference = files.pinned(Reference(place, sha256 and sha256.lower()))
    content = files.content(reference)
    check_content(content, place)
    return content, reference.path, hashlib.sha256(content).hexdigest()


def _is_exported(content: bytes, place: str) -> bool:
    """Whether a zip archive is a program of torch.export. Raises ModelFileError for one whose reader would run code."""
    try:
        names = zipfile.ZipFile(io.BytesIO(content)).namelist()
    except (zipfile.BadZipFile, ValueError, OverflowError, NotImplementedError) as error:
        raise ModelFileError(f"{place}: a damaged or truncated zip archive: {error}") from error
    if any(name.endswith(exported.MODEL) for name in names):
        return True
    if any(name.endswith("serialized_exported_program.json") for name in names):
        raise ModelFileError(f"{place}: a program of torch.export of an older PyTorch: export it again, or {CONVERT}")
    if any(name.endswith("constants.pkl") or "/code/" in name for name in names):
        what = "a program of TorchScript, whose reader runs code of the file"
        raise ModelFileError(f"{place}: {what}, so it is not read: {CONVERT}")
    return False


def _exported(content: bytes, place: str, output: str | None, size: tuple[int, int]) -> nn.Module:
    program, free = exported.read(content, place)
    if program.input_shape[1:] != size:
        found = " x ".join(map(str, program.input_shape))
        raise ModelFileError(
            f"{place}: takes pictures of {found}, and `size` is {size[0]} x {size[1]}: give the program's"
        )
    program = program if output is None else program.select(output)
    return _OnlyOutput(_only_output(program, place), alone=not free)


def _graph(content: bytes, place: str, output: str | None, size: tuple[int, int]) -> nn.Module:
    options = {"input_hw": size, "logits": True, **({"outputs": {output: output}} if output else {})}
    try:
        parts = formats.convert("onnx", {place: content}, options, place)
    except (RuntimeError, MemoryError) as error:  # a graph that asks for more memory than there is
        first = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise ModelFileError(f"{place}: cannot be converted: {first}") from error
    return _OnlyOutput(_only_output(Program.from_parts(parts.graph or {}, parts.tensors, place), place))


def _only_output(program: Program, place: str) -> Program:
    if len(program.outputs) != 1:
        raise SpecError(f"{place} has the outputs {', '.join(program.outputs)}: choose one with `output`")
    return program


class _OnlyOutput(nn.Module):
    """A program's one output. alone: whether it takes one row at a time."""

    def __init__(self, program: Program, alone: bool = False) -> None:
        super().__init__()
        self.program, self.alone = program, alone

    def forward(self, x_NChw: Tensor) -> Tensor:
        batches = x_NChw.split(1) if self.alone else (x_NChw,)
        return torch.cat([y for batch in batches for y in self.program(batch).values()])
