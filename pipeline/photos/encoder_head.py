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

ALPHAS = tuple(float(f"{10.0**power:.2g}") for power in np.arange(-5.0, 0.01, 0.25))
"""Penalties for a row among which the error in rows that are left out, one at a time, chooses."""
LEAST_DEVIATION = 0.2
"""Of a feature, beside the root mean square of its group's: of one that hardly varies, noise is not enlarged."""
FEWEST = 8

MEANINGS = {
    "explained": "share of the variance of w that the encoder explains in held-out faces (R squared over all of w)",
    "distance": "mean distance of its w from the true one",
    "mean_face": "the same of the mean latent of the training faces",
    "alpha": "penalty of the ridge regression, for a row",
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

    Features are scaled to deviation 1, and each group of them (`widths`) to a total variance of about 1, so that the
    penalty counts a group once, however many features it has. The penalty is the one with the least leave-one-out
    error. Of the map that ridge regression gives, the `rank` directions are kept along which its values vary most over
    the training rows (reduced-rank regression).

    Raises:
        SpecError: there are too few rows, or they do not vary.
    """
    from sklearn.linear_model import RidgeCV

    check(len(f_NF), len(f_HF))
    mean_F, deviation_F = f_NF.mean(axis=0, dtype=np.float64), f_NF.std(axis=0, dtype=np.float64)
    if not (deviation_F > 0).any() or not w_NW.std(axis=0).any():
        raise SpecError("all these pictures have the same features, so that nothing can be learned from them")
    scale_F = _scale(deviation_F, widths)
    x_NF, y_NW = (f_NF - mean_F) * scale_F, w_NW.astype(np.float64)
    model = RidgeCV(alphas=[alpha * len(x_NF) for alpha in ALPHAS]).fit(x_NF, y_NW)
    alpha, map_FW, intercept_W = model.alpha_ / len(x_NF), model.coef_.T, model.intercept_
    rank = min(rank, *map_FW.shape)
    axes_WR = np.linalg.svd(x_NF @ map_FW, full_matrices=False)[2][:rank].T
    tensors = {
        "mean": mean_F, "scale": scale_F, "down": map_FW @ axes_WR, "up": axes_WR.T, "intercept": intercept_W,
    }  # fmt: skip
    half = {name: torch.from_numpy(np.ascontiguousarray(value)) for name, value in tensors.items()}
    half = {name: value.to(torch.float16 if name in ("down", "up") else torch.float32) for name, value in half.items()}
    down_FR, up_RW = (half[name].double().numpy() for name in ("down", "up"))
    found_HW = ((f_HF - mean_F) * scale_F) @ down_FR @ up_RW + intercept_W
    return Head(half, {**_figures(found_HW, w_HW, y_NW.mean(0)), "alpha": alpha, "faces": float(len(f_NF))})


def _scale(deviation_F: NDArray[np.float64], widths: Sequence[int]) -> NDArray[np.float64]:
    """(F,) 1 / (deviation sqrt(width of the group)), where deviations are not too small; 0 for groups of constants."""
    found = []
    for group in np.split(deviation_F, np.cumsum(widths)[:-1]):
        least = LEAST_DEVIATION * np.sqrt(np.square(group).mean())
        found.append(1 / np.maximum(group, least) / np.sqrt(len(group)) if least > 0 else np.zeros(len(group)))
    return np.concatenate(found)


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
