"""What a transformation T_j is trained for: Eq. 2 to 5, of J attributes at once.

How Eq. 3 and 4 are reduced decides what is learned. Taken as a norm, Eq. 4 with the paper's weight of 100 forbids any
move (a step of 3 in w costs 300 against a cross-entropy of a few); as the mean of squares over the numbers of a code,
which the authors' later public code takes, it costs 1.8. `mean`, the default, takes squares in both and so departs from
the paper; `norm` is as printed.

Shapes: N rows, W numbers of a code (in w+ its L rows of W), A attributes of C, J of T.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional

Reduction = Literal["mean", "norm"]
REDUCTIONS: tuple[Reduction, ...] = get_args(Reduction)


def classification(logits_JN: Tensor, beta_JN: Tensor, balanced: bool = False) -> Tensor:
    """Eq. 2, (J,): binary cross-entropy of C(T(z))[j] and the label beta that is wanted.

    balanced: as the public code, each row times N over the number of rows of its label in the batch.
    """
    loss_JN = functional.binary_cross_entropy_with_logits(logits_JN, beta_JN, reduction="none")
    if balanced:
        rows, yes_J1 = beta_JN.shape[1], beta_JN.sum(dim=1, keepdim=True)
        loss_JN = loss_JN * torch.where(beta_JN > 0, rows / yes_J1.clamp(min=1), rows / (rows - yes_J1).clamp(min=1))
    return loss_JN.mean(dim=1)


def attribute_regularisation(
    after_JNA: Tensor, before_NA: Tensor, weight_JA: Tensor, reduction: Reduction = "mean"
) -> Tensor:
    """Eq. 3, (J,): how much C says that the other attributes change, each weighed by 1 - |gamma_ij|.

    Args:
        after_JNA: C(T_j(z)). before_NA: C(z).
        weight_JA: `attribute_weights`: 0 for the attribute itself.
        reduction: mean takes squares, norm the absolute difference.
    """
    change_JNA = after_JNA - before_NA
    distance_JNA = change_JNA.square() if reduction == "mean" else change_JNA.abs()
    return (weight_JA * distance_JNA.mean(dim=1)).sum(dim=1)


def released_attribute_regularisation(after_JNA: Tensor, before_NA: Tensor, weight_JA: Tensor) -> Tensor:
    """Eq. 3 as in the public code, (J,): the mean of squares over rows and attributes, with weights (1 - |gamma|)^2."""
    return (weight_JA[:, None] * (after_JNA - before_NA)).square().mean(dim=(1, 2))


def reconstruction(moved: Tensor, source: Tensor, reduction: Reduction = "mean") -> Tensor:
    """Eq. 4, (J,): how far T_j moves a code; (J, N, ...) and (N, ...)."""
    square_JNW = (moved - source).flatten(2).square()
    if reduction == "mean":
        return square_JNW.mean(dim=(1, 2))
    return square_JNW.sum(dim=2).clamp(min=torch.finfo(moved.dtype).tiny).sqrt().mean(dim=1)


def attribute_weights(gamma_AA: Tensor, targets: Tensor) -> Tensor:
    """(J, A): 1 - |gamma_ij| of Eq. 3, 0 where i is j.

    Args:
        gamma_AA: correlations of the attributes.
        targets: (J,) which of the A attributes each T changes.
    """
    weight_JA = 1 - gamma_AA[targets].abs()
    return weight_JA.scatter(1, targets[:, None], 0.0)


def training_alpha(p_JN: Tensor) -> Tensor:
    """The scaling factor in training, (J, N): 1 - p towards the attribute if p < 0.5, else -p (Sec. 4.1).

    p_JN: the probability that C gives the attribute in the original code.
    """
    return torch.where(p_JN < 0.5, 1 - p_JN, -p_JN)
