"""How much of the picture changed: mean squared error and structural similarity (Style Intervention, Table 2).

Shapes: N rows, H and W the picture's pixels, h and w those whose window lies within it.
"""

from __future__ import annotations

import hashlib
import json
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from importlib.util import find_spec
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import SpecError
from pipeline.metrics.face_metric import Faces, spread
from pipeline.metrics.means import Means, Values
from pipeline.metrics.number import Number
from pipeline.models.classifiers.face_regions import FaceRegions, Regions, open_regions

VERSION = 1
"""Raised by hand when equal faces give other numbers."""
SIGMA, RADIUS = 1.5, 5
"""Of the Gaussian window of SSIM, in pixels: 11 x 11, as in its paper (Wang et al., IEEE TIP 2004)."""

Map = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Pictures(Means):
    """MSE and SSIM of whole pictures, and inside and outside the region of the edited attribute in the source.

    Pixels are in [0, 1] and not rounded to 8 bits, at 512 px (or the generator's size where that is less). Both are
    means over pixels, of the squared error (itself a mean over the three channels) and of the map of SSIM (a mean over
    the channels too, without the five pixels at the border, whose window does not lie within the picture); then over
    faces. `mse_inside` and `ssim_outside` are by the face parser, `mse_inside_landmarks` and the like by the judge's
    landmarks where they show the region. The region of an edit of several attributes is that of all of them together;
    there is none where one of them has none. A face in which the region, or all but the region, is empty has no number
    there and is not counted.
    """

    name, table = "pictures", "metrics_pictures"
    about = "MSE and SSIM of the pictures, inside and outside the region of the attribute too"
    packages = ("scipy", "scikit-image")
    measures: ClassVar = {
        f"{name}{where}": number
        for name, number in (("mse", Number(0.0, "smaller")), ("ssim", Number(1.0, "larger")))
        for where in ("", "_inside", "_outside", "_inside_landmarks", "_outside_landmarks")
    }
    always, looks, by_part = False, True, True

    def open(self, device: str, judge: str) -> Changes:
        if find_spec("skimage") is None:
            raise SpecError("SSIM needs scikit-image, which is not installed: run `pip install scikit-image`")
        return Changes(open_regions(judge, device))


@dataclass(frozen=True, eq=False)
class Seen:
    """Pictures (N, 3, H, W) in [0, 1], float32; where the regions of attributes are in them.

    there: (N,) which are faces, and no padding.
    """

    pictures: NDArray[np.float32]
    there: Mask
    regions: Regions


class Changes:
    """Pictures compared with their sources."""

    def __init__(self, regions: FaceRegions) -> None:
        self._regions, self.networks = regions, regions.networks
        facts = {"version": VERSION, "regions": regions.fingerprint}
        self.fingerprint = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()

    def see(self, faces: Faces) -> Seen:
        x_N3HW = faces.looked_at()
        pictures = ((x_N3HW.float() + 1) / 2).clamp(0, 1).cpu().numpy()
        there_N = faces.no_padding()
        return Seen(pictures, there_N, self._regions.of(x_N3HW, there_N))

    def compare(self, source: Seen, edited: Seen, attributes: Sequence[str]) -> Mapping[str, Values]:
        """By name, as in `Pictures`. Raises SpecError where the pictures are smaller than the window of SSIM."""
        there_N = edited.there
        x_N3HW, y_N3HW = source.pictures[there_N], edited.pictures[there_N]
        maps = {"mse": (squared_error(x_N3HW, y_N3HW), 0), "ssim": (ssim(x_N3HW, y_N3HW), RADIUS)}
        masks = {"": union(map(source.regions.by_parser, attributes))}
        masks["_landmarks"] = union(map(source.regions.by_landmarks, attributes))
        found = {}
        for name, (map_NHW, border) in maps.items():
            found[name] = Values(spread(map_NHW.mean(axis=(1, 2)), there_N))
            for how, mask_NHW in masks.items():
                if mask_NHW is not None:
                    inside_NHW = mask_NHW[
                        there_N, border : mask_NHW.shape[1] - border, border : mask_NHW.shape[2] - border
                    ]
                    found[f"{name}_inside{how}"] = Values(spread(mean_where(map_NHW, inside_NHW), there_N))
                    found[f"{name}_outside{how}"] = Values(spread(mean_where(map_NHW, ~inside_NHW), there_N))
        return found


def union(masks: Iterable[Mask | None]) -> Mask | None:
    """(N, H, W): the region of several attributes; None where one of them may change the whole picture."""
    there = list(masks)
    return None if any(one is None for one in there) else reduce(operator.or_, there)


def squared_error(x_N3HW: NDArray[np.floating], y_N3HW: NDArray[np.floating]) -> Map:
    """(N, H, W) of pictures in [0, 1]: the mean over the channels."""
    return np.square(x_N3HW.astype(np.float64) - y_N3HW).mean(axis=1)


def ssim(x_N3HW: NDArray[np.floating], y_N3HW: NDArray[np.floating]) -> Map:
    """(N, h, w) of pictures in [0, 1]: the map of structural similarity, of which h = H - 2 RADIUS; its mean is SSIM.

    Raises:
        SpecError: the pictures are smaller than the window.
    """
    from skimage.metrics import structural_similarity

    height, width = x_N3HW.shape[2:]
    if min(height, width) < 2 * RADIUS + 1:
        raise SpecError(f"pictures of {width} x {height} px are smaller than the window of SSIM: it takes 11 px")
    maps = np.empty((len(x_N3HW), height - 2 * RADIUS, width - 2 * RADIUS))
    for row, (x_3HW, y_3HW) in enumerate(zip(x_N3HW, y_N3HW, strict=True)):
        _, map_3HW = structural_similarity(
            x_3HW.astype(np.float64), y_3HW.astype(np.float64), data_range=1.0, channel_axis=0, full=True,
            gaussian_weights=True, sigma=SIGMA, use_sample_covariance=False,
        )  # fmt: skip
        maps[row] = map_3HW[:, RADIUS : height - RADIUS, RADIUS : width - RADIUS].mean(axis=0)
    return maps


def mean_where(map_NHW: Map, mask_NHW: Mask) -> NDArray[np.float64]:
    """(N,): the mean of each map where its mask is; NaN where the mask is empty."""
    counts_N = mask_NHW.sum(axis=(1, 2))
    sums_N = np.where(mask_NHW, map_NHW, 0.0).sum(axis=(1, 2))
    return np.divide(sums_N, counts_N, out=np.full(len(map_NHW), np.nan), where=counts_N > 0)
