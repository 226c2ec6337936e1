"""The rows that directions are fitted on, read once into one array that all fits share.

Shapes: N rows, D features of a row, L layers, W w_dim.
"""

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.directions.direction import Direction
from pipeline.directions.method import features
from pipeline.errors import SpecError
from pipeline.models.codes import Codes, Space
from pipeline.models.generators import Generator
from pipeline.stages.codes import check_first_z, codes_of, needed_columns
from pipeline.stages.source import Latents

CHECKED_ROWS = 65536


@dataclass(frozen=True, eq=False)
class FitRows:
    """values: (N, W), (N, Z), (N, S), or (N, L, W) for a vector of each layer.

    In w+ without layers they are the mean over the layers: a vector that all layers share sees no more of a row.
    """

    space: Space
    values: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.values)

    @property
    def per_layer(self) -> bool:
        return self.values.ndim == 3

    def codes(self) -> Codes:
        """The rows as codes, sharing their memory: of w, where they are those of w+ without layers."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # read-only in Ray's store: nobody writes to these
            tensor = torch.from_numpy(self.values)
        return Codes("w" if self.space == "w+" and not self.per_layer else self.space, tensor)

    def named(self, direction: Direction) -> Direction:
        """A direction fitted on `codes()`, in the space of the rows."""
        return direction if direction.space == self.space else direction.in_w_plus()


def from_table(
    latents: Latents, space: Space, per_layer: bool, generator: Generator | None, kept: NDArray[np.int64]
) -> FitRows:
    """The codes of the rows `kept` (ascending indices) of latents; one shard beside the result is in memory.

    Raises:
        SpecError: as `read_codes` and `method.features`.
        StoreError: the table cannot be read.
    """
    shared = space == "w+" and not per_layer
    asked: Space = "w" if shared and "w" in latents.schema.arrow.names else space
    values, place = np.empty((0, 0), dtype=np.float32), 0
    row: tuple[int, ...] = (0,)
    if asked == "z":
        check_first_z(latents, generator)
    for rows in latents.only(kept).pieces(needed_columns(latents.schema, asked)):
        codes = codes_of(rows, asked, generator)
        found_ND = features(codes, per_layer)
        if not values.size:
            values, row = np.empty((len(kept), found_ND.shape[1]), dtype=np.float32), tuple(codes.values.shape[1:])
        values[place : place + len(found_ND)] = found_ND
        place += len(found_ND)
    if place != len(kept):
        raise SpecError(f"{latents.url} has {place} of the {len(kept)} rows that are to be fitted on")
    return FitRows(space, values.reshape(len(kept), *row) if per_layer else values)


def from_array(array: NDArray[np.floating], space: Space, per_layer: bool) -> FitRows:
    """The rows of an array (N, D), or (N, L, W) in w+.

    Raises:
        SpecError: the array has not the shape of codes in that space, no numbers, or one that is not finite.
    """
    if not np.issubdtype(array.dtype, np.floating):
        raise SpecError(f"codes are floating-point numbers, these are {array.dtype}")
    if array.ndim != (3 if space == "w+" else 2) or 0 in array.shape:
        wanted = "(rows, layers, width)" if space == "w+" else "(rows, width)"
        raise SpecError(f"codes in {space} have the shape {wanted}, these have {array.shape}")
    layers = array.ndim == 3 and per_layer
    values = np.empty(array.shape if layers else (len(array), array.shape[-1]), dtype=np.float32)
    for start in range(0, len(array), CHECKED_ROWS):
        some = np.asarray(array[start : start + CHECKED_ROWS], dtype=np.float32)
        bad = np.flatnonzero(~np.isfinite(some).reshape(len(some), -1).all(axis=1))
        if len(bad):
            raise SpecError(f"the code of row {start + bad[0]} is not finite: leave it out")
        values[start : start + len(some)] = some if values.ndim == array.ndim else some.mean(axis=1)
    return FitRows(space, values)
