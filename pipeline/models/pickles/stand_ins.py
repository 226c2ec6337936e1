"""What stands for the objects of checkpoints while they are read: tensors, arrays, modules, records."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.errors import ModelFileError
from pipeline.models.pickles.machine import Global, Stateful

NUMBERS = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1")
OBJECTS = ("O", "O8")


class Record(Stateful):
    """An object of a class that is known by name: the name, and the attributes that it had."""

    def __init__(self, kind: str, state: dict[Any, Any] | None = None):
        self.kind = kind
        self.state: dict[Any, Any] = {} if state is None else state

    def set_state(self, state: Any) -> None:
        if type(state) is not dict:
            raise ModelFileError(f"a {self.kind} whose state is no dictionary")
        self.state = state


class Storage:
    """The values of torch tensors: their type and number, and their bytes once these were found."""

    def __init__(self, dtype: torch.dtype, count: int):
        if type(count) is not int or count < 0:
            raise ModelFileError("a storage without a size")
        self.dtype, self.count = dtype, count
        self._content: memoryview | None = None
        self._values: Tensor | None = None

    @property
    def bytes(self) -> int:
        return self.count * self.dtype.itemsize

    def fill(self, content: memoryview) -> None:
        """Raises ModelFileError where these are not as many bytes as the storage has."""
        if len(content) != self.bytes:
            raise ModelFileError(f"a storage of {self.bytes} bytes with {len(content)} of them: it was cut short")
        self._content = content

    @property
    def values(self) -> Tensor:
        """(count,)."""
        if self._content is None:
            raise ModelFileError("a storage without its values")
        if self._values is None:
            empty = torch.empty(0, dtype=self.dtype)
            self._values = torch.frombuffer(bytearray(self._content), dtype=self.dtype) if self.count else empty
        return self._values


class StridedTensor:
    """A tensor before its storage was read."""

    def __init__(self, storage: Any, offset: Any, size: Any, stride: Any, *_: Any):
        whole = type(offset) is int and offset >= 0 and all(type(part) is tuple for part in (size, stride))
        if not (isinstance(storage, Storage) and whole and len(size) == len(stride) <= 8):
            raise ModelFileError("a tensor without storage, shape or strides")
        if not all(type(number) is int and 0 <= number < 2**40 for number in (*size, *stride)):
            raise ModelFileError("a tensor with a strange shape or strides")
        last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
        if math.prod(size) > storage.count or (math.prod(size) and last >= storage.count):
            raise ModelFileError(f"a tensor of shape {size} that its storage of {storage.count} values does not hold")
        self.storage, self.offset, self.size, self.stride = storage, offset, size, stride

    def tensor(self) -> Tensor:
        return self.storage.values.as_strided(self.size, self.stride, self.offset).contiguous()


class Dtype(Stateful):
    """numpy.dtype, of numbers or of objects."""

    def __init__(self, code: Any = None, *_: Any):
        if code not in (*NUMBERS, *OBJECTS):
            raise ModelFileError(f"an array of type {code!r:.20}; only numbers are read")
        self.code, self.order = code, "="

    def set_state(self, state: Any) -> None:
        if type(state) is not tuple or len(state) < 2 or state[1] not in ("<", ">", "=", "|"):
            raise ModelFileError("an array of a strange type")
        self.order = state[1]

    @property
    def known(self) -> np.dtype:
        """Raises ModelFileError for objects."""
        if self.code in OBJECTS:
            raise ModelFileError("an array of objects; only numbers are read")
        return np.dtype((self.order if self.order in "<>" else "=") + self.code)


class Array(Stateful):
    """numpy.ndarray, which gets its shape and bytes from its state."""

    def __init__(self, *_: Any):
        self._state: Any = None

    def set_state(self, state: Any) -> None:
        self._state = state

    def array(self) -> NDArray:
        if type(self._state) is not tuple or len(self._state) != 5:
            raise ModelFileError("an array in another form than NumPy writes")
        _, shape, dtype, fortran, content = self._state
        if type(shape) is not tuple or len(shape) > 8 or not all(type(n) is int and n >= 0 for n in shape):
            raise ModelFileError("an array without a shape")
        if not isinstance(dtype, Dtype):
            raise ModelFileError("an array without a type")
        known = dtype.known
        content = content.encode("latin1") if type(content) is str else content
        if type(content) is not bytes or len(content) != known.itemsize * math.prod(shape):
            raise ModelFileError(f"an array of shape {shape} with another number of bytes")
        values = np.frombuffer(content, known).reshape(shape, order="F" if fortran else "C")
        return np.array(values, known.newbyteorder("="), order="C")

    def only_object(self) -> Any:
        """What an array of a single object holds, as numpy.save keeps a dictionary; None of another array."""
        match self._state:
            case (_, (), Dtype() as dtype, _, [content]) if dtype.code in OBJECTS:
                return content
        return None


def from_buffer(content: Any, dtype: Any, shape: Any, order: Any) -> Array:
    """numpy's `_frombuffer`, by which protocol 5 keeps arrays."""
    array = Array()
    array.set_state((1, shape, dtype, order == "F", content))
    return array


def scalar(dtype: Any, content: Any = b"") -> Any:
    """numpy's scalar, as a number of Python."""
    array = Array()
    array.set_state((1, (), dtype, False, content))
    return array.array().item()


def storage_of(kind: Any, count: Any) -> Storage:
    """A storage by the class that a persistent id names. Raises ModelFileError where that is none."""
    dtype = STORAGES.get(kind.path) if isinstance(kind, Global) else None
    if dtype is None:
        raise ModelFileError("a storage of an unknown type")
    return Storage(dtype, count)


STORAGES = {
    f"torch.{name}Storage": dtype
    for name, dtype in {
        "Float": torch.float32, "Double": torch.float64, "Half": torch.float16, "BFloat16": torch.bfloat16,
        "Long": torch.int64, "Int": torch.int32, "Short": torch.int16, "Char": torch.int8, "Byte": torch.uint8,
        "Bool": torch.bool,
    }.items()
}  # fmt: skip


def is_tensor(value: Any) -> bool:
    """Whether it is a tensor of torch, or stands for one."""
    return isinstance(value, StridedTensor | Tensor)


def tensor_of(value: Any) -> Tensor:
    """The tensor that a stand-in is for. Raises ModelFileError where its storage lacks values, or it is none."""
    if isinstance(value, Tensor):
        return value
    if isinstance(value, StridedTensor):
        return value.tensor()
    raise ModelFileError(f"a {type(value).__name__.lower()} where a tensor should be")


def plain(value: Any) -> Any:
    """A value with its arrays as NumPy's, all the way down; those of a single object as that object.

    Raises ModelFileError where it holds another stand-in.
    """
    match value:
        case Array():
            held = value.only_object()
            return value.array() if held is None else plain(held)
        case dict():
            return {name: plain(each) for name, each in value.items()}
        case list() | tuple():
            return [plain(each) for each in value]
        case None | bool() | int() | float() | str() | bytes():
            return value
    raise ModelFileError(f"a {type(value).__name__.lower()} where an array or a number should be")


def array_of(value: Any) -> NDArray:
    """The array that a stand-in is for, or a number as one of shape (). Raises ModelFileError where it is none."""
    if isinstance(value, Array):
        return value.array()
    if type(value) in (int, float, bool):
        return np.asarray(value)
    raise ModelFileError(f"a {type(value).__name__.lower()} where an array should be")
