"""Codes in other people's files: .npy, .npz, .pt, .pth and .parquet. Nothing in a file is ever executed.

Shapes: N rows, L layers, W w_dim.
"""

import io
import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.errors import ModelFileError, SpecError
from pipeline.lookalikes import check_content
from pipeline.models.codes import Space
from pipeline.models.generators import Generator
from pipeline.models.zoo.formats import npy, pth
from schemas.arrays import one_array

ENDINGS = (".npy", ".npz", ".pt", ".pth", ".parquet")
NAMES = ("w", "ws", "w_plus", "wplus", "latent", "latents", "code", "codes", "z")
"""What an array of codes is called, where a file has several arrays."""


@dataclass(frozen=True, eq=False)
class CodeFile:
    """values: (N, ...) float32 as the file has them, not all finite perhaps. The others are (N,), and None where the
    file does not say: a user's id, the row number, and as the file has them the truncation and the seed."""

    values: NDArray[np.float32]
    key: list[str] | None = None
    index: NDArray[np.int64] | None = None
    psi: list[Any] | None = None
    seed: list[Any] | None = None


def read_file(content: bytes, name: str, array: str | None = None, own_index: bool = True) -> CodeFile:
    """The codes of a file, by the ending of its name. `array`: which array or column, where there are several.
    `own_index`: whether the row numbers of a Parquet file are taken.

    Raises:
        ModelFileError: the file is not of the form that its name says, or reading it would run code.
        SpecError: it has no such array, several and none that is called as codes are, or no numbers; or its row numbers
            are none.
    """
    check_content(content, name)
    match PurePosixPath(name).suffix.lower():
        case ".parquet":
            return _parquet(content, name, array, own_index)
        case ".npy":
            arrays = _numpy({"array": content}, name)
        case ".npz":
            arrays = _numpy(_members(content, name), name)
        case ".pt" | ".pth":
            arrays = {key: value.numpy() for key, value in _float_tensors(content, name).items()}
        case _:
            raise SpecError(f"{name}: codes are read from files that end in {', '.join(ENDINGS)}")
    chosen = _choose({key: value.shape for key, value in arrays.items()}, name, array, "--array")
    return CodeFile(_floats(arrays[chosen], name))


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


def _numpy(members: Mapping[str, bytes], name: str) -> dict[str, NDArray]:
    found = {}
    for key, content in members.items():
        said = name if len(members) == 1 else f"{name}, {key}"
        found[key] = npy.read(content, said)["array"].numpy()
    return found


def _members(content: bytes, name: str) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return {file.removesuffix(".npy"): archive.read(file) for file in archive.namelist()}
    except Exception as error:  # damaged bytes make the archive's reader fail in many ways
        raise ModelFileError(f"{name}: not a whole .npz archive: {error}") from error


def _float_tensors(content: bytes, name: str) -> dict[str, Any]:
    return {
        key: value.float() if value.is_floating_point() else value for key, value in pth.read(content, name).items()
    }


def _choose(shapes: Mapping[str, object], name: str, asked: str | None, flag: str) -> str:
    """The name of the array that holds the codes."""
    there = ", ".join(f"{key} {shape}" for key, shape in shapes.items())
    if asked is not None:
        if asked not in shapes:
            raise SpecError(f"{name} has no {asked!r}; it has {there}")
        return asked
    if len(shapes) == 1:
        return next(iter(shapes))
    called = [key for key in shapes if key in NAMES]
    if len(called) != 1:
        raise SpecError(f"{name} holds {there or 'nothing'}: say which one holds the codes, with {flag}")
    return called[0]


def _floats(array: NDArray, name: str) -> NDArray[np.float32]:
    if not np.issubdtype(array.dtype, np.floating):
        raise SpecError(f"{name} holds {array.dtype}: codes are floating-point numbers")
    with np.errstate(over="ignore"):  # what overflows is not finite, and is set aside
        return np.ascontiguousarray(array, dtype=np.float32)


def _parquet(content: bytes, name: str, column: str | None, own_index: bool) -> CodeFile:
    try:
        rows = pq.read_table(pa.BufferReader(content))
    except Exception as error:  # a damaged file can make a reader raise anything
        raise ModelFileError(f"{name}: not a whole Parquet file: {str(error).splitlines()[0]}") from error
    lists = {field.name: str(field.type) for field in rows.schema if _is_list(field.type)}
    chosen = _choose(lists, name, column, "--array")
    values = _floats(_dense(rows[chosen], f"{name}, column {chosen}"), name)
    index = _index(rows, name) if own_index else None
    said = {field: rows[field].to_pylist() for field in ("psi", "seed") if field in rows.column_names}
    return CodeFile(values, _key(rows, name), index, said.get("psi"), said.get("seed") if index is not None else None)


def _key(rows: pa.Table, name: str) -> list[str] | None:
    """The column `key`, as strings."""
    if "key" not in rows.column_names:
        return None
    found = rows["key"].to_pylist()
    if None in found:
        raise SpecError(f"{name}: row {found.index(None)} has no key: give each row one, or leave the column out")
    return [str(value) for value in found]


def _is_list(type_: pa.DataType) -> bool:
    return pa.types.is_fixed_size_list(type_) or pa.types.is_list(type_) or pa.types.is_large_list(type_)


def _dense(column: pa.ChunkedArray, said: str) -> NDArray:
    """(N, ...) of a column of lists, or of lists of lists, that are all as long."""
    values, shape = one_array(column), [len(column)]
    while _is_list(values.type):
        if values.null_count:
            row = pc.index(pc.is_null(values), True).as_py() * shape[0] // max(1, len(values))
            raise SpecError(f"{said}: row {row} is null")
        lengths = pc.list_value_length(values).to_numpy()
        if len(set(lengths.tolist())) > 1:
            odd = int(np.flatnonzero(lengths != lengths[0])[0]) * shape[0] // len(values)
            raise SpecError(f"{said}: row {odd} is not as long as row 0")
        shape.append(int(lengths[0]) if len(lengths) else 0)
        values = values.flatten()
    if values.null_count:
        row = pc.index(pc.is_null(values), True).as_py() * shape[0] // len(values)
        raise SpecError(f"{said}: row {row} holds a null")
    return values.to_numpy(zero_copy_only=False).reshape(shape)


def _index(rows: pa.Table, name: str) -> NDArray[np.int64] | None:
    """The column `index`, as whole numbers; None where there is none."""
    if "index" not in rows.column_names:
        return None
    return whole_numbers(rows["index"], f"{name}, column index", "or pass --first 0, which numbers the rows anew")


def whole_numbers(column: pa.ChunkedArray, said: str, remedy: str) -> NDArray[np.int64]:
    """Row numbers, each once, perhaps kept as floats. Raises SpecError, naming the first row that has none."""
    found = column.to_pylist()
    for row, value in enumerate(found):
        if not _is_whole(value):
            raise SpecError(f"{said}: row {row} has {value!r}: give each a whole number from 0 on, {remedy}")
    index = np.array([int(value) for value in found], dtype=np.int64)
    values, counts = np.unique(index, return_counts=True)
    if (counts > 1).any():
        raise SpecError(f"{said}: {counts.max()} rows have {values[counts.argmax()]}: leave one, {remedy}")
    return index


def psis(values: Sequence[Any], name: str) -> list[float | None]:
    """The truncation of each row; NaN is none. Raises SpecError, naming the first row that has no finite number."""
    for row, value in enumerate(values):
        known = _is_number(value) and (math.isnan(value) or abs(value) <= float(np.finfo(np.float32).max))
        if value is not None and not known:
            raise SpecError(f"{name}, column psi: row {row} has {value!r}: give a number, or leave it empty")
    return [None if value is None or math.isnan(value) else float(value) for value in values]


def seeds(values: Sequence[Any], name: str) -> list[int | None]:
    """The seed of each row; NaN is none. Raises SpecError, naming the first row that has no whole number."""
    found = [None if _is_number(value) and math.isnan(value) else value for value in values]
    for row, value in enumerate(found):
        if value is not None and not _is_whole(value):
            said = f"{name}, column seed: row {row} has {value!r}"
            raise SpecError(f"{said}: give a whole number from 0 to 2**63 - 1, or leave it empty")
    return [None if value is None else int(value) for value in found]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    """From 0 to 2**63 - 1."""
    return _is_number(value) and 0 <= value < 2**63 and value == int(value)
