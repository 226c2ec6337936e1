"""Mean and spread of one number a face.

Shapes: N rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.metrics import intervals
from pipeline.metrics.metric import Numbers, finite
from pipeline.metrics.moments import Moments


class Values(NamedTuple):
    """(N,): a number for each face; NaN where the face has none, so that it is left out and not counted."""

    value: NDArray[np.floating]


class Means:
    """Mean and spread of the faces that have the number."""

    numbers = ("count", "mean", "m2")

    def measure(self, batch: Values) -> Numbers:
        """count of faces that have the number; its mean and m2 (sum of squared deviations).

        Raises:
            SpecError: a value is infinite.
        """
        value_N = np.asarray(batch.value, dtype=np.float64)
        return Moments.of(finite("value", value_N[~np.isnan(value_N)])).as_dict()

    def merge(self, partials: Iterable[Numbers]) -> Numbers:
        return Moments.merged(Moments(p["count"], p["mean"], p["m2"]) for p in partials).as_dict()

    def finish(self, partial: Numbers) -> Numbers:
        """count; mean, its interval (normal) and sd."""
        moments = Moments(partial["count"], partial["mean"], partial["m2"])
        mean = moments.mean if moments.count else math.nan
        low, high = intervals.of_mean(mean, moments.sd, moments.count)
        return {"count": moments.count, "mean": mean, "mean_low": low, "mean_high": high, "sd": moments.sd}
