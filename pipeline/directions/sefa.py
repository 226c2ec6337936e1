"""SeFa: directions in closed form from the weights that take w to styles, without a picture (Shen and Zhou 2021).

Shapes: W w_dim, C style channels of a layer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from pipeline.directions.direction import Direction, normalised
from pipeline.directions.ganspace import signed
from pipeline.errors import SpecError
from pipeline.models.generators import Generator


def sefa(
    weights: Mapping[str, ArrayLike],
    count: int,
    layers: Sequence[str] | None = None,
    unit_rows: bool = False,
    generator: str | None = None,
) -> tuple[Direction, ...]:
    """Directions `sefa0`, `sefa1`, ... of w that change the styles of the layers most: eigenvectors of A^T A.

    A stacks the layers' affine weights. The number of largest magnitude in each vector is positive. They have no
    boundary: the intercept is 0.

    Args:
        weights: layer -> (C, W), the affine's weight.
        count: how many directions.
        layers: some of the layers, all where it is not given.
        unit_rows: each channel's weights are first brought to norm 1, as in the authors' code.
        generator: kept in the directions.

    Raises:
        SpecError: an unknown layer, weights of different widths or not finite, or more directions than W.
    """
    chosen = list(weights) if layers is None else list(layers)
    unknown = [layer for layer in chosen if layer not in weights]
    if unknown or not chosen:
        raise SpecError(f"no layer {', '.join(unknown) or 'was chosen'}: choose from {', '.join(weights)}")
    stack = [np.asarray(weights[layer], dtype=np.float64) for layer in chosen]
    shapes = {layer: a.shape for layer, a in zip(chosen, stack, strict=True)}
    width = stack[0].shape[-1] if stack[0].ndim == 2 else 0
    for layer, a in zip(chosen, stack, strict=True):
        if a.ndim != 2 or a.shape[1] != width or not np.isfinite(a).all():
            raise SpecError(f"the weights of {layer} are not finite numbers (channels, {width}): shapes are {shapes}")
    a_CW = np.concatenate(stack)
    if unit_rows:
        a_CW = a_CW / np.maximum(np.linalg.norm(a_CW, axis=1, keepdims=True), 1e-12)
    if not 1 <= count <= width:
        raise SpecError(f"{count} directions were asked: w has {width}")
    _, vectors = np.linalg.eigh(a_CW.T @ a_CW)
    return tuple(
        normalised(f"sefa{k}", "sefa", "w", signed(vector), generator=generator)
        for k, vector in enumerate(vectors[:, ::-1][:, :count].T)
    )


@torch.no_grad()
def affine_weights(generator: Generator) -> dict[str, NDArray[np.float64]]:
    """layer -> (C, W), the weights that take w to that layer's styles: what the styles of unit vectors are, less those
    of zero."""
    points = torch.cat([torch.zeros(1, generator.w_dim), torch.eye(generator.w_dim)]).to(generator.backend.device)
    s_PS = generator.styles(points.unsqueeze(1).expand(-1, generator.num_ws, -1)).double().cpu()
    weights_SW = (s_PS[1:] - s_PS[:1]).T.numpy()
    ends = np.cumsum([layer.width for layer in generator.style_layers])
    return dict(zip((layer.name for layer in generator.style_layers), np.split(weights_SW, ends[:-1]), strict=True))
