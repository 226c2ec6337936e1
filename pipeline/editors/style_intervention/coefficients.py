"""The table of the coefficients that were solved for.

Shapes: N rows, S style channels, T layers that were solved for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from pipeline.editors.kept import ANY, Column, KeptTable

NAME = "coefficients"


def coefficients(channels: int) -> KeptTable:
    """solved: whether there was anything to solve for; else the coefficients are 0 and there are no errors.
    coefficients: Lambda, from 0 (the move of the latent direction) to 1 (that of the sparse one). errors: the pixel
    loss outside the mask, at the start and after each layer that was solved for (Fig. 6b).
    """
    columns = {
        "solved": Column("bool"),
        "coefficients": Column("float32", channels),
        "errors": Column("float32", ANY),
    }
    return KeptTable(NAME, columns)


def kept(coefficients_NS: Tensor, errors: Sequence[Tensor]) -> Mapping[str, Mapping[str, Tensor]]:
    """Trace.tables. errors: (T + 1,) of each row; those of a row that was not solved for are NaN."""
    errors_NT = torch.stack(list(errors))
    solved_N = torch.isfinite(errors_NT).all(dim=1) & torch.isfinite(coefficients_NS).all(dim=1)
    return {
        NAME: {
            "solved": solved_N,
            "coefficients": torch.where(solved_N[:, None], coefficients_NS, 0.0),
            "errors": torch.where(solved_N[:, None], errors_NT, torch.nan),
        }
    }
