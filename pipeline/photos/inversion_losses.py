"""What an inversion minimises: one function each, (N,) of N rows. Weighted means are over places.

Shapes: N rows, L layers, W w_dim, E numbers of an embedding, h and w pixels of a map.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d


def weights_of(face_N1HW: Tensor, background: float) -> Tensor:
    """(N, 1, H, W) with a mean of 1 in each row: 1 in the face and `background` elsewhere, before they are scaled.

    face: 1 where the face is, else 0.
    """
    weights = torch.where(face_N1HW > 0, 1.0, background)
    return weights / weights.mean(dim=(1, 2, 3), keepdim=True)


def pixel_loss(x_N3HW: Tensor, target_N3HW: Tensor, weights_N1HW: Tensor) -> Tensor:
    """The weighted squared difference, mean over channels and pixels. Pictures are in [-1, 1]."""
    return ((x_N3HW - target_N3HW).square() * weights_N1HW).mean(dim=(1, 2, 3))


def perceptual_loss(maps: Sequence[Tensor], weights_N1HW: Tensor) -> Tensor:
    """LPIPS with weights (Zhang et al., CVPR 2018, Eq. 1): the weighted mean of each stage's map, summed over stages.

    maps: (N, 1, h, w) of each stage; the weights are reduced to them by means.
    """
    found = []
    for map_N1hw in maps:
        weights = adaptive_avg_pool2d(weights_N1HW, (map_N1hw.shape[2], map_N1hw.shape[3]))
        found.append((map_N1hw * weights / weights.mean(dim=(2, 3), keepdim=True)).mean(dim=(1, 2, 3)))
    return torch.stack(found).sum(0)


def identity_loss(embedding_NE: Tensor, target_NE: Tensor) -> Tensor:
    """1 less the cosine of embeddings of length 1."""
    return 1 - (embedding_NE * target_NE).sum(1)


def prior_loss(v_NLW: Tensor) -> Tensor:
    """The squared Mahalanobis distance of w from its mean, a mean over layers and numbers: 1 for sampled w.

    v: whitened (`pipeline.photos.prior`).
    """
    return v_NLW.square().mean(dim=(1, 2))


def spread_loss(v_NLW: Tensor) -> Tensor:
    """The squared distance of the rows of w+ from their mean, in whitened coordinates, as a mean: 0 for w."""
    return (v_NLW - v_NLW.mean(dim=1, keepdim=True)).square().mean(dim=(1, 2))
