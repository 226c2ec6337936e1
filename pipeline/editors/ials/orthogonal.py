"""What is left of a vector beside others, row by row.

Shapes: N rows, D numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

DEPENDENT = 1e-6
"""Norm of what is left of a unit vector beside the others, below which it is taken to lie in their span."""


def complement(vector_ND: Tensor, others: Sequence[Tensor]) -> Tensor:
    """The part of each vector that is orthogonal to all the others of its row, not normalised: (N, D).

    others: unit vectors (N, D), or zeros where a row has none. They need not be independent: one that lies in the span
    of those before it adds nothing. By Gram-Schmidt, each step done twice, which is as exact as rounding allows; sums
    run over each row, so that a row comes out the same beside any neighbours.
    """
    basis: list[Tensor] = []
    for other_ND in others:
        left_ND = _without(other_ND, basis)
        norm_N1 = row_norm(left_ND)
        basis.append(torch.where(norm_N1 > DEPENDENT, left_ND / norm_N1, 0.0))
    return _without(vector_ND, basis)


def _without(vector_ND: Tensor, basis: Sequence[Tensor]) -> Tensor:
    for _ in range(2):
        for unit_ND in basis:
            vector_ND = vector_ND - (vector_ND * unit_ND).sum(dim=1, keepdim=True) * unit_ND
    return vector_ND


def row_norm(vector_ND: Tensor) -> Tensor:
    """(N, 1), as a sum over each row."""
    return vector_ND.square().sum(dim=1, keepdim=True).sqrt()
