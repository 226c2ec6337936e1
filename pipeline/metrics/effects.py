"""How a score changes when an attribute is edited.

Shapes: N rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import SpecError
from pipeline.metrics import intervals
from pipeline.metrics.face_metric import Faces
from pipeline.metrics.metric import Numbers, finite
from pipeline.metrics.moments import Moments
from pipeline.metrics.number import Number
from pipeline.models.classifiers.attributes import BY_NAME


class EffectBatch(NamedTuple):
    """The judge's score of one attribute, (N,) each: of the source, and of the edited face."""

    before: NDArray[np.floating]
    after: NDArray[np.floating]


class Effects:
    """Mean and spread of after - before, and how often the face came to the other side of the boundary.

    A face has an attribute where its score is above 0. One group of rows at a time: `measure_groups` for several.
    """

    name, table = "effects", "metrics"
    about = "how the judge's scores change"
    always, looks, by_part = True, False, True
    packages = ("scipy",)
    measures: ClassVar = {name: Number(0.0, "none") for name in BY_NAME}
    numbers = ("count", "mean", "m2", "flips")
    fingerprint, networks = "", ()  # the judge's are not its own

    def open(self, device: str, judge: str) -> Effects:
        return self

    def see(self, faces: Faces) -> Mapping[str, NDArray]:
        return faces.scores

    def compare(
        self, source: Mapping[str, NDArray], edited: Mapping[str, NDArray], attributes: Sequence[str]
    ) -> Mapping[str, EffectBatch]:
        """By the attribute whose score it is."""
        return {name: EffectBatch(source[name], edited[name]) for name in edited}

    def measure(self, batch: EffectBatch) -> Numbers:
        """count; mean and m2 (sum of squared deviations) of the change; flips: rows that changed side.

        Raises:
            SpecError: a score is not finite, or the lengths differ.
        """
        before, after = finite("before", batch.before), finite("after", batch.after)
        if before.shape != after.shape or before.ndim != 1:
            raise SpecError(f"scores before and after have the shapes {before.shape} and {after.shape}: give one a row")
        flips = float(np.count_nonzero((before > 0) != (after > 0)))
        return {**Moments.of(after - before).as_dict(), "flips": flips}

    def merge(self, partials: Iterable[Numbers]) -> Numbers:
        partials = list(partials)
        moments = Moments.merged(Moments(p["count"], p["mean"], p["m2"]) for p in partials)
        return {**moments.as_dict(), "flips": math.fsum(p["flips"] for p in partials)}

    def finish(self, partial: Numbers) -> Numbers:
        """count; mean, its interval (normal) and sd of the change; flip_rate and its interval (Wilson)."""
        moments = Moments(partial["count"], partial["mean"], partial["m2"])
        count, flips = partial["count"], partial["flips"]
        mean = moments.mean if count else math.nan
        low, high = intervals.of_mean(mean, moments.sd, count)
        least, most = intervals.of_rate(flips, count)
        return {
            "count": count,
            "mean": mean,
            "mean_low": low,
            "mean_high": high,
            "sd": moments.sd,
            "flip_rate": flips / count if count else math.nan,
            "flip_rate_low": least,
            "flip_rate_high": most,
        }
