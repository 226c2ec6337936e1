"""Truncation after an edit: w_avg + psi (w - w_avg).

Shapes: N rows, L layers, W w_dim.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.errors import SpecError
from pipeline.models.codes import Codes


@dataclass(frozen=True, eq=False)
class Truncation:
    """Brings codes in w or w+ towards the mean w.

    w_avg: (W,). psi: 1 is none. cutoff: how many rows of w+, from the first on, are brought; None for all.

    Raises:
        SpecError: psi is not finite, or the cutoff is negative.
    """

    w_avg: Tensor
    psi: float
    cutoff: int | None = None

    def __post_init__(self) -> None:
        if not math.isfinite(self.psi):
            raise SpecError(f"psi is {self.psi}: give a finite number, 1 for no truncation")
        if self.cutoff is not None and self.cutoff < 0:
            raise SpecError(f"cutoff is {self.cutoff}: give a number of rows of w+")

    def __call__(self, codes: Codes) -> Codes:
        """The codes truncated; computed in float64.

        Raises:
            SpecError: the codes are not in w or w+, of another width, or in w where there is a cutoff.
        """
        if codes.space not in ("w", "w+"):
            raise SpecError(f"truncation is a matter of w and w+, these codes are in {codes.space}: leave psi away")
        if codes.values.shape[-1] != len(self.w_avg):
            raise SpecError(f"w_avg has {len(self.w_avg)} numbers, the codes have {codes.values.shape[-1]}")
        if self.cutoff is not None and codes.space == "w":
            raise SpecError("a cutoff is a number of rows of w+, these codes are in w: broadcast them to w+ first")
        w_avg = self.w_avg.to(codes.values.device, torch.float64)
        values = codes.values.double()
        truncated = w_avg + self.psi * (values - w_avg)
        if self.cutoff is not None:
            truncated = torch.cat([truncated[:, : self.cutoff], values[:, self.cutoff :]], dim=1)
        return Codes(codes.space, truncated.to(codes.values.dtype))
