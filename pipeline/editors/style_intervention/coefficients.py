"""The table of the coefficients that were solved for, and what a later edit takes from it.

Shapes: N rows, S style channels, T layers that were solved for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.editors.editor import Rows
from pipeline.editors.kept import ANY, Column, KeptTable
from pipeline.errors import SpecError

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


def place_of(given: str) -> tuple[str, int | None]:
    """`TABLE#17` as the table and the number of a row; None where there is no number."""
    url, mark, number = given.rpartition("#")
    return (url, int(number)) if mark and number.isdecimal() else (given, None)


def shared(rows: Iterable[Rows], attributes: Sequence[str], index: int | None) -> dict[str, Tensor]:
    """Lambda (S,) of each attribute, from rows of a table of coefficients: of the face `index`, or the mean over all
    faces that were solved for.

    Raises:
        SpecError: nothing was solved for an attribute, or for this face.
    """
    sums: dict[str, NDArray[np.float64]] = {}
    counts: Counter[str] = Counter()
    there: set[str] = set()
    for some in rows:
        for row, attribute in enumerate(some["attribute"]):
            there.add(attribute)
            if attribute in attributes and some["solved"][row] and index in (None, int(some["index"][row])):
                sums[attribute] = sums.get(attribute, 0.0) + some["coefficients"][row].astype(np.float64)
                counts[attribute] += 1
    for attribute in attributes:
        if attribute not in there:
            raise SpecError(f"there is no row of {attribute}, only of {', '.join(sorted(there)) or 'nothing'}")
        if not counts[attribute]:
            whose = "any face" if index is None else f"face {index}"
            raise SpecError(f"nothing was solved for {attribute} of {whose}: take another table, or row")
    return {name: torch.from_numpy((total / counts[name]).astype(np.float32)) for name, total in sums.items()}


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
