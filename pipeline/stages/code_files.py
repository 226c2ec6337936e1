"""Codes in other people's files: .npy, .npz, .pt, .pth and .parquet. Nothing in a file is ever executed.

Shapes: N rows.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.errors import ModelFileError, SpecError
from pipeline.file_content import check_content
from pipeline.models.code_arrays import ENDINGS, as_float32, choose_array, read_arrays
from schemas.arrays import one_array


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
    ending = PurePosixPath(name).suffix.lower()
    if ending == ".parquet":
        return _parquet(content, name, array, own_index)
    if ending not in ENDINGS:
        raise SpecError(f"{name}: codes are read from files that end in {', '.join((*ENDINGS, '.parquet'))}")
    arrays = read_arrays(content, name)
    chosen = choose_array({key: value.shape for key, value in arrays.items()}, name, array)
    return CodeFile(as_float32(arrays[chosen], name))


def _parquet(content: bytes, name: str, column: str | None, own_index: bool) -> CodeFile:
    try:
        rows = pq.read_table(pa.BufferReader(content))
    except Exception as error:  # a damaged file can make a reader raise anything
        raise ModelFileError(f"{name}: not a whole Parquet file: {str(error).splitlines()[0]}") from error
    lists = {field.name: str(field.type) for field in rows.schema if _is_list(field.type)}
    chosen = choose_array(lists, name, column)
    values = as_float32(_dense(rows[chosen], f"{name}, column {chosen}"), name)
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
    """The column `index`, whole numbers, each once, perhaps kept as floats; None where there is none. Raises SpecError,
    naming the first row that has none."""
    if "index" not in rows.column_names:
        return None
    said, remedy = f"{name}, column index", "or pass --first 0, which numbers the rows anew"
    found = rows["index"].to_pylist()
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
