"""safetensors: eight bytes of header length, a JSON header, then the values."""

from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from pipeline.errors import ModelFileError


def read(data: bytes, name: str) -> dict[str, Tensor]:
    """Named tensors in their own dtype. Raises ModelFileError where the file is cut short or its header is damaged."""
    try:
        return safetensors.torch.load(data)
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise ModelFileError(f"{name}: not a whole safetensors file: {error}") from error


def open_mapped(path: Path, name: str, device: torch.device | str = "cpu") -> dict[str, Tensor]:
    """The same from a local file. On the CPU tensors are views of the mapped file: processes share its pages."""
    try:
        return safetensors.torch.load_file(path, device=str(device))
    except (safetensors.SafetensorError, ValueError, KeyError, OSError) as error:
        raise ModelFileError(f"{name}: {path} is not a whole safetensors file: {error}") from error


def write(tensors: dict[str, Tensor], path: Path) -> None:
    """Save named tensors, each as it is. Tensors that share memory are stored apart."""
    safetensors.torch.save_file({key: value.detach().clone().contiguous() for key, value in tensors.items()}, path)
