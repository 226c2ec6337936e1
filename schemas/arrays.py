"""Between numpy arrays and the columns of a table."""

from typing import Any

import numpy as np
import pyarrow as pa


def to_arrow(values: Any, type_: pa.DataType, rows: int) -> pa.Array:
    """A column of `rows` values.

    A number, a string or None is repeated. FSL columns take a float32 array of shape (rows, W), FSL of FSL one of shape
    (rows, L, W); the others anything that `pyarrow.array` takes, for a list column a sequence for each row. Raises
    ValueError, TypeError or OverflowError where shape, type or a value does not fit.
    """
    if values is None or np.isscalar(values):
        return pa.repeat(pa.scalar(values, type_), rows)
    if not pa.types.is_fixed_size_list(type_):
        return pa.array(values, type_)
    shape, inner = [rows], type_
    while pa.types.is_fixed_size_list(inner):
        shape.append(inner.list_size)
        inner = inner.value_type
    array = np.asarray(values)
    if list(array.shape) != shape or array.dtype != inner.to_pandas_dtype():
        raise ValueError(f"wanted {inner} of shape {tuple(shape)}, found {array.dtype} of shape {array.shape}")
    column = pa.array(np.ascontiguousarray(array).reshape(-1))
    for size in reversed(shape[1:]):
        column = pa.FixedSizeListArray.from_arrays(column, size)
    return column


def to_numpy(column: pa.ChunkedArray | pa.Array) -> np.ndarray:
    """An array of shape (N,), (N, W) or (N, L, W) of a column of numbers, FSL, or FSL of FSL; read-only."""
    values, shape = one_array(column), [len(column)]
    while pa.types.is_fixed_size_list(values.type):
        shape.append(values.type.list_size)
        values = values.flatten()
    return values.to_numpy().reshape(shape)


def one_array(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """The column as one contiguous array."""
    if not isinstance(column, pa.ChunkedArray):
        return column
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
