"""NumPy's `.npy`: one array."""

import io

import numpy as np
import torch
from torch import Tensor

from pipeline.errors import ModelFileError


def read(data: bytes, name: str) -> dict[str, Tensor]:
    """The array as one tensor called `array`, in its own dtype.

    Raises ModelFileError where the file is cut short, has bytes left over, or holds Python objects (never unpickled).
    """
    stream = io.BytesIO(data)
    try:
        array = np.lib.format.read_array(stream, allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        if "allow_pickle" in str(error):
            raise ModelFileError(f"{name}: holds Python objects, not numbers: they are not read") from error
        raise ModelFileError(f"{name}: not a whole .npy file: {error}") from error
    if stream.read(1):
        raise ModelFileError(f"{name}: bytes are left over after the array that its header describes")
    try:
        return {"array": torch.from_numpy(np.ascontiguousarray(array.astype(array.dtype.newbyteorder("="))))}
    except TypeError as error:
        raise ModelFileError(f"{name}: {array.dtype} values are no tensor") from error
