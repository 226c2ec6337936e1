"""NumPy's `.npy`: a header with type and shape, then the values of one array."""

import io
from math import prod

import numpy as np
import torch
from torch import Tensor

from pipeline.errors import ModelFileError

_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}


def read(data: bytes, name: str) -> dict[str, Tensor]:
    """The array as one tensor called `array`, in its own dtype.

    Raises ModelFileError where the header is damaged, values are missing or left over, or the array holds Python
    objects (which are never unpickled) or a type that torch does not have.
    """
    stream = io.BytesIO(data)
    try:
        shape, fortran_order, dtype = _HEADERS[np.lib.format.read_magic(stream)](stream)
    except Exception as error:  # a damaged header makes NumPy's parser fail in many ways
        raise ModelFileError(f"{name}: not a .npy file, or its header is damaged: {error}") from error
    if dtype.hasobject:
        raise ModelFileError(f"{name}: holds Python objects, not numbers: they are not read")
    values = data[stream.tell() :]
    if len(values) != prod(shape) * dtype.itemsize:
        raise ModelFileError(
            f"{name}: holds {len(values)} bytes of values, its header says {prod(shape) * dtype.itemsize}"
        )
    array = np.frombuffer(values, dtype).reshape(shape, order="F" if fortran_order else "C")
    try:
        return {"array": torch.from_numpy(np.array(array, dtype.newbyteorder("="), order="C"))}
    except TypeError as error:
        raise ModelFileError(f"{name}: values of type {dtype} cannot be read") from error
