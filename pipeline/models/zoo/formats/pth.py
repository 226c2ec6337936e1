"""PyTorch's `.pth` and `.pt`, read with torch's restricted unpickler: tensors and plain containers, never code."""

import io
import pickle
import re
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from pipeline.errors import ModelFileError


def read(data: bytes, name: str) -> dict[str, Tensor]:
    """Every tensor of the checkpoint, nested dictionaries flattened to dotted names (`g_ema.conv1.weight`).

    Raises ModelFileError where the file is cut short, asks for anything but tensors and plain containers (reading it
    would run its code), or holds no tensor.
    """
    try:
        content = torch.load(io.BytesIO(data), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        asked = re.search(r"GLOBAL ([\w.]+)", str(error))
        if asked is None:
            raise ModelFileError(f"{name}: not a whole PyTorch checkpoint: {_first_line(error)}") from error
        raise ModelFileError(
            f"{name}: holds code or objects ({asked[1]}), not only tensors. Reading would run them, so it is not read: "
            "save its state_dict as safetensors where you trust it"
        ) from error
    except Exception as error:  # damaged bytes make the unpickler fail in many ways
        raise ModelFileError(f"{name}: not a whole PyTorch checkpoint: {_first_line(error)}") from error
    tensors = {key: value.detach().clone().contiguous() for key, value in _tensors(content, "")}
    if not tensors:
        raise ModelFileError(f"{name}: holds no tensor, only {type(content).__name__}")
    return tensors


def _tensors(content: Any, prefix: str) -> Iterator[tuple[str, Tensor]]:
    if isinstance(content, Tensor):
        yield prefix or "tensor", content
    elif isinstance(content, Mapping):
        for key, value in content.items():
            yield from _tensors(value, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(content, list | tuple):
        for position, value in enumerate(content):
            yield from _tensors(value, f"{prefix}.{position}" if prefix else str(position))


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
