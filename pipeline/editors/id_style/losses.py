"""What ID-Style is trained for: Eq. 6 to 11.

The weights of the paper (0.3, 1, 1, 2, 5) are of one balance, and how sums and norms are reduced decides whether it is
that one. `mean`, the default, follows the paper where the public code does, and else says why not:

- Eq. 6 and 7 are means over attributes where sums are printed, and Eq. 7 over layers too, as in the public code. The
  norm of Eq. 6 is a sum over entries, as printed and in that code: by a mean no direction would become sparse.
- Eq. 9 and 10 are printed for one edited face, without a sum over attributes. Here they are means over the edits.
- Eq. 8 is the norm over all layers divided by the root of their number: for a code of w the norm in w, for any number
  of layers the same weight. The norm as printed is 4.8 times that for 23 layers that move alike. The public code has it
  so, but moves 2 to 8 fixed layers of 18.
- Eq. 9 has the probability D of a classifier. Scores are in standard deviations over faces, and the log-odds of the
  networks behind them are 1.9 (old, eyeglasses), 3.1 (male) and 5.3 (smile) times as large. D is the sigmoid of the
  score times `scale`, 3 by default. Of the score alone it would take a face that is on the wrong side for nearly
  undecided, and the identity would outweigh it.

Along the first directions the objective is least at a move of 2 by these, at 1 with the printed norm, and where nothing
moves with that norm and the score alone (benchmarks/results/id-style-balance.md). `sum` has the sums and the norm of
Eq. 6 to 8 as printed; so that edits weigh as much beside them, it sums Eq. 9 and 10 over attributes too, which is not
printed. Rows are averaged by both.

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
    """Eq. 6, of the directions before they are normalised: |P_m|_1, over attributes its mean, or their sum."""
    norm_M = direction_MW.abs().sum(dim=1)
    return norm_M.mean() if reduction == "mean" else norm_M.sum()


def direction(intensity_NLW: Tensor, direction_MW: Tensor, reduction: Reduction = "mean") -> Tensor:
    """Eq. 7: 1 - the cosine of l_ft * P_m and P_m, over layers and attributes; 1 where l_ft is all zero."""
    moved_NMLW = intensity_NLW[:, None] * direction_MW[None, :, None]
    apart_NML = 1 - functional.cosine_similarity(moved_NMLW, direction_MW[None, :, None], dim=3)
    return apart_NML.mean() if reduction == "mean" else apart_NML.sum(dim=(1, 2)).mean()


def neighbourhood(deltas_NMLW: Tensor, reduction: Reduction = "mean") -> Tensor:
    """Eq. 8: how far a code is moved. The root mean square of its layers' moves, of which the mean over attributes; or
    the norm over all its layers, of which the sum over attributes.

    deltas_NMLW: for the attributes that are edited; a norm of 0 has no gradient.
    """
    squared_NM = deltas_NMLW.flatten(2).square().sum(dim=2)
    if reduction == "mean":
        squared_NM = squared_NM / deltas_NMLW.shape[2]
    norm_NM = squared_NM.clamp(min=torch.finfo(squared_NM.dtype).tiny).sqrt()
    return norm_NM.mean() if reduction == "mean" else norm_NM.sum(dim=1).mean()


def classification(score_N: Tensor, attr_N: Tensor, scale: float) -> Tensor:
    """Eq. 9, (N,): -log D(attr | face) for attr in {-1, 1}, with D the sigmoid of `scale` times the score."""
    return functional.softplus(-scale * attr_N * score_N)


def identity(before_NE: Tensor, after_NE: Tensor) -> Tensor:
    """Eq. 10, (N,): 1 - the cosine of the embeddings of a face and of the edited one."""
    return 1 - functional.cosine_similarity(before_NE, after_NE, dim=1)
