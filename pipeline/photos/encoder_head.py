"""The head of an encoder, from features of pictures to their latents: scikit-learn's ridge regression, cut to a rank.

Shapes: N training rows, H held-out rows, F features, R rank, W w_dim.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.errors import SpecError

ALPHAS = tuple(10.0**power for power in np.arange(0.0, 6.01, 0.5))
"""Penalties among which validation rows choose."""
VALIDATION = 10
"""Each so manieth training row."""
FEWEST = 8

MEANINGS = {
    "explained": "share of the variance of w that the encoder explains in held-out faces (R squared over all of w)",
    "distance": "mean distance of its w from the true one",
    "mean_face": "the same of the mean latent of the training faces",
    "alpha": "penalty of the ridge regression",
    "faces": "pictures that it learned from",
}


@dataclass(frozen=True, eq=False)
class Head:
    """The tensors of `pipeline.photos.encoder.TENSORS`, and figures by the names of MEANINGS."""

    tensors: dict[str, Tensor]
    metrics: dict[str, float]


def fit(
    f_NF: NDArray[np.float32],
    w_NW: NDArray[np.float32],
    f_HF: NDArray[np.float32],
    w_HW: NDArray[np.float32],
    widths: Sequence[int],
    rank: int,
) -> Head:
    """Fit to the N training rows; the H held-out rows decide nothing, and tell how good it is.

    Features are scaled to deviation 1, and each group of them (`widths`) to the same total variance, so that a penalty
    counts a group once, however many features it has. Of the map that ridge regression gives, the `rank` directions are
    kept along which its values vary most over the training rows (reduced-rank regression).

    Raises:
        SpecError: there are too few rows, or they do not vary.
    """
    from sklearn.linear_model import Ridge

    check(len(f_NF), len(f_HF))
    mean_F, deviation_F = f_NF.mean(axis=0, dtype=np.float64), f_NF.std(axis=0, dtype=np.float64)
    if not (deviation_F > 0).any() or not w_NW.std(axis=0).any():
        raise SpecError("all these pictures have the same features, so that nothing can be learned from them")
    groups_F = np.repeat(1 / np.sqrt(widths), widths)
    scale_F = np.where(deviation_F > 1e-6, groups_F / np.maximum(deviation_F, 1e-6), 0.0)

    def scaled(rows: NDArray[np.float32]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = (rows - mean_F) * scale_F
        return found

    x_NF, y_NW = scaled(f_NF), w_NW.astype(np.float64)
    judged_N = np.arange(len(x_NF)) % VALIDATION == 0

    def error(alpha: float) -> float:
        model = Ridge(alpha=alpha).fit(x_NF[~judged_N], y_NW[~judged_N])
        return float(np.square(model.predict(x_NF[judged_N]) - y_NW[judged_N]).sum())

    alpha = min((float(f"{one:.3g}") for one in _alphas(len(x_NF))), key=error)
    model = Ridge(alpha=alpha).fit(x_NF, y_NW)
    map_FW, intercept_W = model.coef_.T, model.intercept_
    rank = min(rank, *map_FW.shape)
    axes_WR = np.linalg.svd(x_NF @ map_FW, full_matrices=False)[2][:rank].T
    tensors = {
        "mean": mean_F, "scale": scale_F, "down": map_FW @ axes_WR, "up": axes_WR.T, "intercept": intercept_W,
    }  # fmt: skip
    half = {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in tensors.items()}
    half = {name: value.to(torch.float16 if name in ("down", "up") else torch.float32) for name, value in half.items()}
    down_FR, up_RW = (half[name].double().numpy() for name in ("down", "up"))
    found_HW = scaled(f_HF) @ down_FR @ up_RW + intercept_W
    return Head(half, {**_figures(found_HW, w_HW, y_NW.mean(0)), "alpha": alpha, "faces": float(len(f_NF))})


def _alphas(rows: int) -> Sequence[float]:
    return [one * rows / 1000 for one in ALPHAS]


def _figures(found_HW: NDArray[np.float64], w_HW: NDArray[np.float32], mean_W: NDArray[np.float64]) -> dict[str, float]:
    errors_H, spread_H = (np.square(one - w_HW).sum(axis=1) for one in (found_HW, mean_W))
    return {
        "explained": float(1 - errors_H.sum() / spread_H.sum()),
        "distance": float(np.sqrt(errors_H).mean()),
        "mean_face": float(np.sqrt(spread_H).mean()),
    }


def check(training: int, held_out: int) -> None:
    """Raise SpecError where there are too few rows."""
    if training < FEWEST or held_out < 2:
        raise SpecError(
            f"{training} pictures to learn from and {held_out} held out: give at least {FEWEST} and 2 (--rows, "
            "--held-out); thousands are needed to learn anything"
        )
