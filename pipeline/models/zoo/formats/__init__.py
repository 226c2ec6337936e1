"""Readers of model files: bytes in, tensors (and a graph) out. One format a file; none runs code of what it reads."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from torch import Tensor

from pipeline.errors import ModelFileError


class Parts(NamedTuple):
    """What a model file holds: named tensors in their own dtype, and the graph where the format carries one."""

    tensors: dict[str, Tensor]
    graph: dict[str, Any] | None = None


def convert(format_: str, members: Mapping[str, bytes], options: Mapping[str, Any], name: str) -> Parts:
    """Read members of one format. `options` are the reader's own; `name` is what errors call the file.

    Raises ModelFileError where the bytes are not of that format, are cut short, hold what the reader does not
    know, or need a package that is not installed.
    """
    try:
        return _READERS[format_](members, options, name)
    except ModuleNotFoundError as error:
        raise ModelFileError(
            f"{name}: reading {format_} files needs {error.name}: run `pip install 'stylemill[fetch]'`"
        ) from error


def _tfjs(members: Mapping[str, bytes], options: Mapping[str, Any], name: str) -> Parts:
    from pipeline.models.zoo.formats import tfjs

    graph, tensors = tfjs.read(members, name=name, **options).parts()
    return Parts(tensors, graph)


def _onnx(members: Mapping[str, bytes], options: Mapping[str, Any], name: str) -> Parts:
    from pipeline.models.zoo.formats import onnx

    graph, tensors = onnx.read(_single(members, name), name=name, **options).parts()
    return Parts(tensors, graph)


def _pth(members: Mapping[str, bytes], options: Mapping[str, Any], name: str) -> Parts:
    from pipeline.models.zoo.formats import pth

    return Parts(pth.read(_single(members, name), name))


def _kept(members: Mapping[str, bytes], options: Mapping[str, Any], name: str) -> Parts:
    """Files that only their own library reads: each a tensor of its bytes."""
    import numpy as np
    import torch

    return Parts({file: torch.from_numpy(np.frombuffer(data, np.uint8).copy()) for file, data in members.items()})


def _npy(members: Mapping[str, bytes], options: Mapping[str, Any], name: str) -> Parts:
    from pipeline.models.zoo.formats import npy

    return Parts(npy.read(_single(members, name), name))


def _safetensors(members: Mapping[str, bytes], options: Mapping[str, Any], name: str) -> Parts:
    from pipeline.models.zoo.formats import safetensors

    return Parts(safetensors.read(_single(members, name), name))


def _mobilestylegan(members: Mapping[str, bytes], options: Mapping[str, Any], name: str) -> Parts:
    from pipeline.models.zoo.formats import mobilestylegan

    return Parts(mobilestylegan.convert(members))


_READERS: dict[str, Callable[[Mapping[str, bytes], Mapping[str, Any], str], Parts]] = {
    "tfjs": _tfjs,
    "onnx": _onnx,
    "pth": _pth,
    "kept": _kept,
    "npy": _npy,
    "safetensors": _safetensors,
    "mobilestylegan": _mobilestylegan,
}


def _single(members: Mapping[str, bytes], name: str) -> bytes:
    if len(members) != 1:
        raise ModelFileError(f"{name}: one file was expected, {len(members)} were given")
    return next(iter(members.values()))
