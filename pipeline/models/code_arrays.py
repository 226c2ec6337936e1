"""Codes in the arrays of other people's files: .npy, .npz, .pt and .pth. Bytes in, an array out; nothing is executed.

Shapes: N rows, L layers, Z z_dim, W w_dim.
"""

import io
import zipfile
from collections.abc import Mapping
from pathlib import PurePosixPath

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ModelFileError, SpecError
from pipeline.models.codes import Space
from pipeline.models.generators import Generator
from pipeline.models.zoo.formats import npy, pth

ENDINGS = (".npy", ".npz", ".pt", ".pth")
NAMES = ("w", "ws", "w_plus", "wplus", "latent", "latents", "code", "codes", "z")
"""What an array of codes is called, where a file has several arrays."""


def read_arrays(content: bytes, name: str) -> dict[str, NDArray]:
    """The arrays of a file, by the ending of its name, which is one of ENDINGS.

    Raises:
        ModelFileError: the file is not of the form that its name says, or reading it would run code.
    """
    match PurePosixPath(name).suffix.lower():
        case ".npy":
            return {"array": npy.read(content, name)["array"].numpy()}
        case ".npz":
            members = _members(content, name)
            said = {key: name if len(members) == 1 else f"{name}, {key}" for key in members}
            return {key: npy.read(member, said[key])["array"].numpy() for key, member in members.items()}
        case _:
            tensors = pth.read(content, name)
            return {key: (one.float() if one.is_floating_point() else one).numpy() for key, one in tensors.items()}


def choose_array(shapes: Mapping[str, object], name: str, asked: str | None) -> str:
    """The name of the array that holds the codes. Raises SpecError where there is none, or it is not told."""
    there = ", ".join(f"{key} {shape}" for key, shape in shapes.items())
    if asked is not None:
        if asked not in shapes:
            raise SpecError(f"{name} has no {asked!r}; it has {there}")
        return asked
    called = list(shapes) if len(shapes) == 1 else [key for key in shapes if key in NAMES]
    if len(called) != 1:
        raise SpecError(f"{name} holds {there or 'nothing'}: say which one holds the codes, with --array")
    return called[0]


def as_float32(array: NDArray, name: str) -> NDArray[np.float32]:
    """The numbers, not all finite perhaps. Raises SpecError where they are no floating-point numbers."""
    if not np.issubdtype(array.dtype, np.floating):
        raise SpecError(f"{name} holds {array.dtype}: codes are floating-point numbers")
    with np.errstate(over="ignore"):  # what overflows is not finite, and is rejected
        return np.ascontiguousarray(array, dtype=np.float32)


def as_codes(values: NDArray[np.float32], space: Space, generator: Generator, name: str) -> NDArray[np.float32]:
    """(N, Z), (N, W) or (N, L, W): rows of codes in z, w or w+, however they are kept in files.

    Taken are (N, W), (N, 1, W), and (W,) for a single row; in w+ (N, L, W), and (L, W) for a single row; (N, L, W) as w
    where all layers of each row are equal.

    Raises:
        SpecError: the shape is none of these, or not this generator's.
    """
    width, layers = (generator.z_dim if space == "z" else generator.w_dim), generator.num_ws
    found = values.shape
    if space == "w+":
        rows = values[None] if found == (layers, width) else values
        if rows.ndim == 3 and rows.shape[1:] == (layers, width) and len(rows):
            return rows
        wanted = f"(rows, {layers}, {width})"
        hint = ": these have one w for all layers, pass --space w" if found[1:] in ((width,), (1, width)) else ""
        raise SpecError(f"{name} has the shape {found}; codes in w+ of {generator.name} have {wanted}{hint}")
    rows = values[None] if found == (width,) else values
    if space == "w" and rows.ndim == 3 and rows.shape[1] > 1 and rows.shape[2] == width:
        if not np.array_equal(rows, np.broadcast_to(rows[:, :1], rows.shape), equal_nan=True):
            raise SpecError(f"{name} has the shape {found}, and layers that differ: pass --space w+")
        rows = rows[:, :1]
    rows = rows[:, 0] if rows.ndim == 3 and rows.shape[1] == 1 else rows
    if rows.ndim != 2 or rows.shape[1] != width or not len(rows):
        wanted = f"(rows, {width}) or (rows, 1, {width})"
        raise SpecError(f"{name} has the shape {found}; codes in {space} of {generator.name} have {wanted}")
    return rows


def _members(content: bytes, name: str) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return {file.removesuffix(".npy"): archive.read(file) for file in archive.namelist()}
    except Exception as error:  # damaged bytes make the archive's reader fail in many ways
        raise ModelFileError(f"{name}: not a whole .npz archive: {error}") from error
