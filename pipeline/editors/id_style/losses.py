"""What ID-Style is trained for: Eq. 6 to 11.

How sums are reduced decides what is learned. As printed, Eq. 6 adds up the 512 entries of a direction, which starts at
about 41 an attribute, and Eq. 7 the layers, which starts at up to 72 for four attributes and 18 layers, both beside a
cross-entropy of about 1: then the paper's weights (0.3, 1, 1, 2, 5) move nothing. With means over entries, layers and
attributes they balance. `mean` is the default, `sum` is as printed; rows are averaged by both.

Shapes: N rows, L layers of w+, W w_dim, M attributes, E numbers of an embedding.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional

Reduction = Literal["mean", "sum"]
REDUCTIONS: tuple[Reduction, ...] = get_args(Reduction)


def sparsity(direction_MW: Tensor, reduction: Reduction = "mean") -> Tensor:
    """Eq. 6, of the directions before they are normalised: the sum over attributes of |P_m|_1, or the mean entry."""
    return direction_MW.abs().mean() if reduction == "mean" else direction_MW.abs().sum()


def direction(intensity_NLW: Tensor, direction_MW: Tensor, reduction: Reduction = "mean") -> Tensor:
    """Eq. 7: 1 - the cosine of l_ft * P_m and P_m, over layers and attributes; 1 where l_ft is all zero."""
    moved_NMLW = intensity_NLW[:, None] * direction_MW[None, :, None]
    apart_NML = 1 - functional.cosine_similarity(moved_NMLW, direction_MW[None, :, None], dim=3)
    return apart_NML.mean() if reduction == "mean" else apart_NML.sum(dim=(1, 2)).mean()


def neighbourhood(deltas_NMLW: Tensor, reduction: Reduction = "mean") -> Tensor:
    """Eq. 8: how far a code is moved, the norm over all its layers; over attributes its mean, or their sum.

    deltas_NMLW: for the attributes that are edited; a norm of 0 has no gradient.
    """
    squared_NM = deltas_NMLW.flatten(2).square().sum(dim=2)
    norm_NM = squared_NM.clamp(min=torch.finfo(squared_NM.dtype).tiny).sqrt()
    return norm_NM.mean() if reduction == "mean" else norm_NM.sum(dim=1).mean()


def classification(score_N: Tensor, attr_N: Tensor) -> Tensor:
    """Eq. 9, (N,): -log D(attr | face) for attr in {-1, 1}, with D the sigmoid of the score."""
    return functional.softplus(-attr_N * score_N)


def identity(before_NE: Tensor, after_NE: Tensor) -> Tensor:
    """Eq. 10, (N,): 1 - the cosine of the embeddings of a face and of the edited one."""
    return 1 - functional.cosine_similarity(before_NE, after_NE, dim=1)
