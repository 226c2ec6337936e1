"""Latents that know their space.

Shapes: N rows, L layers (num_ws), W w_dim, S style channels.

    z    (N, Z)      what the mapping network takes
    w    (N, W)      one w for all layers
    w+   (N, L, W)   one w for each layer ("ws")
    s    (N, S)      the style channels of all layers, in the order of `Generator.style_layers`
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.errors import SpecError

Space = Literal["z", "w", "w+", "s"]
SPACES: tuple[Space, ...] = get_args(Space)
Slots = Tensor | NDArray | Sequence[int]


@dataclass(frozen=True)
class Codes:
    """Latents of N rows in one space.

    Raises:
        SpecError: the space is unknown, or `values` has not the number of dimensions of that space.
    """

    space: Space
    values: Tensor

    def __post_init__(self) -> None:
        if self.space not in SPACES:
            raise SpecError(f"unknown latent space {self.space!r}: choose one of {', '.join(SPACES)}")
        dimensions = 3 if self.space == "w+" else 2
        if self.values.dim() != dimensions:
            shape = tuple(self.values.shape)
            raise SpecError(f"codes in {self.space} have {dimensions} dimensions, these have the shape {shape}")

    def __len__(self) -> int:
        return self.values.shape[0]

    def select(self, rows: slice | Tensor) -> Codes:
        """The codes of some rows: a slice, a mask (N,) or indices."""
        return Codes(self.space, self.values[rows])

    def in_slots(self, slots: Slots, size: int, padding: float = 0.0) -> Codes:
        """A batch of `size` rows: these rows in `slots`, numbers (N,) or a mask (size,), and padding in all others.

        Networks are called with batches of one size, in which a row has the slot that its number gives it, so that it
        meets the same arithmetic whatever rows are there.
        """
        values = self.values.new_full((size, *self.values.shape[1:]), padding)
        values[torch.as_tensor(slots)] = self.values
        return Codes(self.space, values)

    def only(self, slots: Slots, padding: float = 0.0) -> Codes:
        """The rows of a mask (N,) in their places, and padding in place of the others."""
        return self.select(torch.as_tensor(slots)).in_slots(slots, len(self), padding)

    def to(self, device: str | torch.device) -> Codes:
        return Codes(self.space, self.values.to(device))
