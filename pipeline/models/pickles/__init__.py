"""Pickles read as data: an interpreter of their opcodes that runs nothing and builds plain containers.

`load(data, name)` for any pickle, and for what torch.save wrote, as zip archive or in the older form.
"""

from pipeline.models.pickles.loading import is_pickle, load, load_arrays
from pipeline.models.pickles.stand_ins import Record, array_of, is_tensor, tensor_of

__all__ = ["Record", "array_of", "is_pickle", "is_tensor", "load", "load_arrays", "tensor_of"]
