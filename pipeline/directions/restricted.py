"""Pickled arrays and plain containers, read without running anything that the file names.

A pickle names functions and classes and has them called. Here every name but those of NumPy's arrays is refused, and
these stand for classes of this file, not for NumPy's own: the bytes of an array are only ever looked at.
"""

from __future__ import annotations

import io
import math
import pickle
from typing import Any

import numpy as np

from pipeline.errors import ModelFileError

NUMBERS = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1")


def loads(data: bytes, name: str) -> Any:
    """The pickled object: dictionaries, lists, tuples, text, numbers and arrays of numbers (or of these, as objects).

    Raises:
        ModelFileError: the file asks for anything else (it is named, and not run), or is damaged.
    """
    try:
        return _plain(_Restricted(io.BytesIO(data), encoding="latin1").load())
    except ModelFileError as error:
        raise ModelFileError(f"{name}: {error}") from None
    except Exception as error:  # damaged bytes make the unpickler fail in many ways
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise ModelFileError(f"{name}: not a whole pickle: {first}") from error


class _Kind:
    """Stands for numpy.dtype."""

    def __init__(self, code: str, *_: Any):
        self.code = code
        self.order = "="

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.order = state[1]


class _Array:
    """Stands for numpy.ndarray; gets its shape and bytes, or its objects, from the state."""

    state: tuple[Any, ...] | None = None

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.state = state


def _empty(*_: Any) -> _Array:
    """Stands for numpy's _reconstruct: what it would allocate is not allocated."""
    return _Array()


def _from_buffer(content: bytes | bytearray, kind: _Kind, shape: tuple[int, ...], order: str) -> _Array:
    """Stands for numpy's _frombuffer, by which protocol 5 keeps arrays."""
    array = _Array()
    array.__setstate__((1, shape, kind, order == "F", bytes(content) if isinstance(content, bytearray) else content))
    return array


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """Stands for _codecs.encode, by which protocol 2 keeps bytes."""
    if not isinstance(text, str) or encoding != "latin1":
        raise ModelFileError("holds bytes in another form than NumPy writes")
    return text.encode("latin1")


ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Kind,
    ("numpy.core.multiarray", "_reconstruct"): _empty,
    ("numpy._core.multiarray", "_reconstruct"): _empty,
    ("numpy.core.numeric", "_frombuffer"): _from_buffer,
    ("numpy._core.numeric", "_frombuffer"): _from_buffer,
    ("_codecs", "encode"): _encode,
}


class _Restricted(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        try:
            return ALLOWED[module, name]
        except KeyError:
            raise ModelFileError(
                f"asks for {module}.{name}, which reading would run, so it is not read: save its arrays as .npy where "
                "you trust it"
            ) from None

    def persistent_load(self, pid: Any) -> Any:
        raise ModelFileError("refers to objects outside the file, so it is not read")


def _plain(value: Any) -> Any:
    """The stand-ins as NumPy arrays, all the way down."""
    match value:
        case _Array():
            return _array(value)
        case dict():
            return {_plain(key): _plain(each) for key, each in value.items()}
        case list():
            return [_plain(each) for each in value]
        case tuple():
            return tuple(_plain(each) for each in value)
        case None | bool() | int() | float() | str() | bytes():
            return value
    raise ModelFileError(f"holds a {type(value).__name__.strip('_').lower()} where an array or a number should be")


def _array(value: _Array) -> Any:
    if not (isinstance(value.state, tuple) and len(value.state) == 5):
        raise ModelFileError("holds an array in another form than NumPy writes")
    _, shape, kind, fortran, content = value.state
    if not (isinstance(shape, tuple) and all(isinstance(size, int) and size >= 0 for size in shape)):
        raise ModelFileError("holds an array without a shape")
    if not isinstance(kind, _Kind):
        raise ModelFileError("holds an array without a type")
    if kind.code in ("O", "O8"):
        if shape != () or not isinstance(content, list) or len(content) != 1:
            raise ModelFileError("holds an array of objects; only a single object is read")
        return _plain(content[0])
    if kind.code not in NUMBERS or kind.order not in ("<", ">", "=", "|") or not isinstance(content, bytes):
        raise ModelFileError(f"holds an array of type {kind.code!r}; only numbers are read")
    kept = np.dtype((kind.order if kind.order in "<>" else "=") + kind.code)
    if len(content) != kept.itemsize * math.prod(shape):
        raise ModelFileError(f"holds an array of shape {shape} with {len(content)} bytes")
    return np.frombuffer(content, kept).reshape(shape, order="F" if fortran else "C").copy()
