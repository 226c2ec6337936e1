"""A generator from the bytes of a file, whose form is told by its content."""

from __future__ import annotations

import hashlib
from typing import Any

import torch
from torch import Tensor

from pipeline.errors import ModelFileError
from pipeline.file_content import check_content
from pipeline.models import pickles
from pipeline.models.checkpoints import encoders, genforce, nvidia, own, rosinality, tensorflow
from pipeline.models.checkpoints.checkpoint import Checkpoint
from pipeline.models.checkpoints.held import Held, NoGeneratorError, Reader
from pipeline.models.pickles import Record

READERS: tuple[Reader, ...] = (nvidia.read, tensorflow.read, rosinality.read, encoders.read, genforce.read)
SUPPORTED = (
    "generators are read from NVIDIA's .pkl (StyleGAN to StyleGAN3), .pt of rosinality, pSp, e4e and PTI, .pth of "
    "genforce and Hammer, and stylemill's safetensors; docs/networks.md says how to convert others"
)
STARTS = {
    b"\x93NUMPY": "an array of NumPy", b"\x89HDF": "HDF5, as Keras writes", b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture", b"GGUF": "GGUF", b"\x08": "perhaps ONNX or a graph of TensorFlow",
    b"7z": "a 7z archive", b"Rar!": "a RAR archive", b"BZh": "compressed by bzip2", b"\xfd7zXZ": "compressed by xz",
}  # fmt: skip


def read(data: bytes, name: str) -> Checkpoint:
    """The generator of a file; nothing in it is executed.

    Args:
        data: all of the file.
        name: what messages call it.

    Raises:
        NoGeneratorError: the file holds something else. ModelFileError: it is damaged, or asks for code. One line says
            what it looks like, what is supported, and where to read how to convert it.
    """
    check_content(data, name)
    try:
        held = _held(data, name)
        tensors = {key: _as_float32(tensor) for key, tensor in held.tensors.items() if tensor.is_floating_point()}
        _check_size(tensors, len(data))
    except ModelFileError as error:
        raise type(error)(f"{name}: {str(error).removeprefix(f'{name}: ')}; {SUPPORTED}") from None
    except Exception as error:  # tensors of strange shapes make a reader fail in many ways
        first = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise ModelFileError(f"{name}: not a whole generator: {first}; {SUPPORTED}") from error
    return Checkpoint(held.architecture, held.options, tensors, held.form, hashlib.sha256(data).hexdigest())


def _held(data: bytes, name: str) -> Held:
    if own.is_safetensors(data):
        return own.read(data, name)
    for start, what in STARTS.items():
        if data.startswith(start):
            raise NoGeneratorError(f"this looks like {what}, and not like a generator")
    if not pickles.is_pickle(data):
        raise NoGeneratorError("neither a pickle of protocol 2 to 5 nor a file of torch.save")
    content = pickles.load(data, name)
    for reader in READERS:
        if (held := reader(content)) is not None:
            return held
    raise NoGeneratorError(f"this holds {_described(content)}: no generator that is known here")


def _described(content: Any) -> str:
    if isinstance(content, Record):
        return f"a {content.kind[:60]}"
    if type(content) is dict:
        names = [ascii(key)[:40] for key in list(content)[:4]]
        more = ", ..." if len(content) > len(names) else ""
        return f"a dictionary of {len(content)} ({', '.join(names)}{more})" if names else "an empty dictionary"
    return f"a {type(content).__name__}"


def _as_float32(tensor: Tensor) -> Tensor:
    return tensor.detach().to(torch.float32).contiguous()


def _check_size(tensors: dict[str, Tensor], size: int) -> None:
    """Tensors that share a storage could take more memory than the file."""
    needed = sum(tensor.numel() for tensor in tensors.values()) * 4
    if needed > 4 * size:
        raise ModelFileError(f"tensors of {needed:,} bytes in a file of {size:,}, which share what they hold")
