"""What the public code of ID-Style has otherwise than the paper: fixed layers of each attribute, and its loss Eq. 8.

It normalises the input of the intensity predictor too (`IDStyle`), and keeps the identity in one attribute a step.

Shapes: N rows, L layers of w+, W w_dim, M attributes.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pipeline.editors.id_style import losses
from pipeline.errors import SpecError

LAYERS = {"male": range(8), "eyeglasses": range(2, 4), "old": range(4, 8), "smile": range(4, 6)}
"""Rows of w+ of StyleGAN2 in which an attribute is edited."""


def check_attributes(attributes: Sequence[str]) -> None:
    """Raise SpecError where the public code has no layers for an attribute."""
    if unknown := [name for name in attributes if name not in LAYERS]:
        raise SpecError(
            f"--as-released: the public code has layers for {', '.join(LAYERS)} alone: leave out {unknown[0]}"
        )


def masks(attributes: Sequence[str], stylegan2_rows: Sequence[int]) -> Tensor:
    """(M, L): 1 in the layers in which an attribute is edited, else 0.

    stylegan2_rows: `Generator.stylegan2_rows`.
    """
    return torch.tensor([[float(row in LAYERS[name]) for row in stylegan2_rows] for name in attributes])


def neighbourhood(deltas_NMLW: Tensor) -> Tensor:
    """Eq. 8: the norm over all layers as printed, of which the mean over attributes."""
    return losses.neighbourhood(deltas_NMLW, "sum") / deltas_NMLW.shape[1]
