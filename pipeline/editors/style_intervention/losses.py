"""The equations of Style Intervention, one function each (Sec. 3.2).

Shapes: N rows, S style channels, 3HW pixels.
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

PixelLoss = Literal["mean", "norm"]
PIXEL_LOSSES: tuple[PixelLoss, ...] = get_args(PixelLoss)
AttributeLoss = Literal["progress", "cosine"]


def merged(coefficients_NS: Tensor, by_z_NS: Tensor, by_n_NS: Tensor) -> Tensor:
    """Eq. 8: ds_m = (1 - Lambda) ds_z + Lambda ds_n, (N, S)."""
    return (1 - coefficients_NS) * by_z_NS + coefficients_NS * by_n_NS


def pixel_loss(x_N3HW: Tensor, source_N3HW: Tensor, outside_N1HW: Tensor, kind: PixelLoss = "mean") -> Tensor:
    """Eq. 9, (N,): what changes outside the mask; 0 where nothing is outside.

    mean: the mean of squares over the pixels outside. norm: the paper's norm, of all of them together.

    x, source: in [-1, 1]; differences are taken of pixels in [0, 1]. outside: (N, 1, H, W), 1 - m_c, 0 or 1.
    """
    change = (outside_N1HW * (x_N3HW - source_N3HW) / 2).flatten(1)
    if kind == "norm":
        return torch.linalg.vector_norm(change, dim=1)
    numbers_N = x_N3HW.shape[1] * outside_N1HW.flatten(1).sum(dim=1)
    return change.square().sum(dim=1) / numbers_N.clamp(min=1)


def attribute_loss(by_n_NS: Tensor, by_m_NS: Tensor) -> Tensor:
    """Eq. 10, (N,): minus the cosine of ds_n and ds_m; 0 where one of them is 0."""
    return -cosine_similarity(by_n_NS, by_m_NS, dim=1)


def progress_loss(by_n_NS: Tensor, by_m_NS: Tensor, spread_S: Tensor) -> Tensor:
    """In place of Eq. 10, (N,): minus the share of ds_n that ds_m goes (its projection on ds_n), at most 1; 0 where
    ds_n is 0. In standard deviations of the channels, `spread`.

    The cosine is lowest where ds_m has nothing beside ds_n: it takes away what ds_z does inside the mask, too, and is
    the same however little of ds_n is left.
    """
    n_NS, m_NS = by_n_NS / spread_S, by_m_NS / spread_S
    square_N = n_NS.square().sum(dim=1)
    return -((n_NS * m_NS).sum(dim=1) / torch.where(square_N > 0, square_N, 1.0)).clamp(max=1)


def norm_loss(coefficients_NS: Tensor) -> Tensor:
    """L_norm, (N,): the norm of Lambda."""
    return torch.linalg.vector_norm(coefficients_NS, dim=1)


def objective(pixel_N: Tensor, attribute_N: Tensor, norm_N: Tensor, lambda_attr: float, lambda_norm: float) -> Tensor:
    """Eq. 11, (N,): L_pix + lambda_attr L_attr + lambda_norm L_norm."""
    return pixel_N + lambda_attr * attribute_N + lambda_norm * norm_N
