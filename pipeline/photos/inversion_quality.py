"""How good an inversion is: both pictures compared by networks that it followed and by others that it did not.

Shapes: N rows, 3HW pixels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.metrics.pictures import ssim
from pipeline.models.classifiers import Family
from pipeline.photos.likeness import Likeness

Column = NDArray[np.float32]


@dataclass(frozen=True)
class Gate:
    """What an inversion must be to be kept. max_lpips: of the distance that was followed. max_identity_dlib: of the
    second network of identity, where it sees both faces; one in which it sees none, though it does in the photo, is
    left out too.
    """

    max_lpips: float
    max_identity_dlib: float

    def reason(self, lpips: float, identity_dlib: float | None, face_lost: bool) -> str:
        """Why it is left out; empty where it is kept."""
        if not lpips <= self.max_lpips:
            return "not alike"
        if face_lost:
            return "no face any more"
        if identity_dlib is not None and not identity_dlib <= self.max_identity_dlib:
            return "another person"
        return ""


@torch.no_grad()
def compare(
    x_N3HW: Tensor, y_N3HW: Tensor, there_N: NDArray[np.bool_], likeness: Likeness, family: Family
) -> dict[str, NDArray]:
    """Columns (N,) of pictures in [-1, 1] and their inversions: lpips, lpips_other, identity, psnr, ssim, agreement,
    float32; identity_dlib, a float or None; face_lost, whether the second network of identity sees a face in the first
    picture alone; differ, names of attributes. there: rows that are no padding.
    """
    y_N3HW = y_N3HW.clamp(-1, 1)
    distances = {"lpips": likeness.distance, "lpips_other": likeness.other_distance}
    columns: dict[str, NDArray] = {
        name: _numbers(distance.between(distance(x_N3HW), distance(y_N3HW))) for name, distance in distances.items()
    }
    columns["identity"] = _numbers((likeness.identity(x_N3HW) * likeness.identity(y_N3HW)).sum(1))
    seen = [family.columns(each, family.attributes) for each in (x_N3HW, y_N3HW)]
    agree_AN = np.stack([_numbers((seen[0][name] > 0) == (seen[1][name] > 0)) for name in family.attributes])
    columns["agreement"] = agree_AN.mean(axis=0, dtype=np.float32)
    columns["differ"] = np.array([_named(family.attributes, agree_A) for agree_A in agree_AN.T], dtype=object)
    x, y = (((each.float() + 1) / 2).cpu().numpy()[there_N] for each in (x_N3HW, y_N3HW))
    error_N = np.square(x.astype(np.float64) - y).mean(axis=(1, 2, 3))
    columns["psnr"] = _spread(-10 * np.log10(np.maximum(error_N, 1e-10)), there_N)
    columns["ssim"] = _spread(ssim(x, y).mean(axis=(1, 2)), there_N)
    here = torch.from_numpy(there_N).to(x_N3HW.device)
    second, lost_N = np.full(len(there_N), None, dtype=object), np.zeros(len(there_N), dtype=bool)
    if there_N.any():
        embedded = [likeness.second_identity(each[here]) for each in (x_N3HW, y_N3HW)]
        apart_N = np.linalg.norm(embedded[0] - embedded[1], axis=1)
        second[there_N] = [None if np.isnan(apart) else float(apart) for apart in apart_N]
        unseen = [np.isnan(each).any(axis=1) for each in embedded]
        lost_N[there_N] = unseen[1] & ~unseen[0]
    columns |= {"identity_dlib": second, "face_lost": lost_N}
    return columns


def _numbers(values_N: Tensor) -> Column:
    return values_N.float().cpu().numpy()


def _spread(values: NDArray[np.float64], there_N: NDArray[np.bool_]) -> Column:
    found = np.zeros(len(there_N), dtype=np.float32)
    found[there_N] = values
    return found


def _named(attributes: Sequence[str], agree_A: Column) -> str:
    return ",".join(name for name, agrees in zip(attributes, agree_A, strict=True) if not agrees)
