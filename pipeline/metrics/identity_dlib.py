"""Is it still the same person, by a network that no editor optimises? The distance between dlib's embeddings.

Shapes: N rows, E = 128 numbers of an embedding.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.metrics import intervals
from pipeline.metrics.face_metric import Faces, spread
from pipeline.metrics.histogram import Bins
from pipeline.metrics.means import Means, Values
from pipeline.metrics.metric import Numbers
from pipeline.metrics.number import Number
from pipeline.models.classifiers.dlib_identity import NETWORK, SAME_PERSON, DlibIdentity

BINS = Bins(0.0, 2.0, 400)
QUANTILES = {"q05": 0.05, "median": 0.5, "q95": 0.95}


class IdentityDlib:
    """The Euclidean distance between dlib's embeddings of the source and of the edited face; 0 is the same picture.

    Below 0.6 they are usually taken for one person; `flip_rate` is the share of faces that are at 0.6 or beyond, with
    its interval. A pair in which the detector finds no face in one of the pictures has no distance and is not counted.
    How many these are is a number of its own, `identity_dlib_no_face`: 1 for such a pair and 0 for any other, so that
    both its mean and its `flip_rate` are their share. Quantiles come from bins that are 0.005 wide.
    """

    name, table = "identity_dlib", "metrics_identity_dlib"
    about = "the distance between dlib's embeddings of both faces, a network that no editor optimises"
    packages = ("scipy", "dlib-bin")
    measures: ClassVar = {
        "": Number(0.0, "smaller"),
        "identity_dlib_no_face": Number(math.nan, "smaller"),
    }
    always, looks, by_part = False, True, True
    numbers = ("count", "mean", "m2", "beyond", *BINS.names)

    def open(self, device: str, judge: str) -> Embedded:
        return Embedded(DlibIdentity())

    def measure(self, batch: Values) -> Numbers:
        """Of the values that are not NaN: count, mean, m2, how many are at 0.6 or beyond, and how many in each bin.

        Raises:
            SpecError: a value is infinite.
        """
        moments = Means().measure(batch)
        value_N = np.asarray(batch.value, dtype=np.float64)
        value_N = value_N[~np.isnan(value_N)]
        counts = map(float, BINS.counts(value_N))
        beyond = float(np.count_nonzero(value_N >= SAME_PERSON))
        return {**moments, "beyond": beyond, **dict(zip(BINS.names, counts, strict=True))}

    def merge(self, partials: Iterable[Numbers]) -> Numbers:
        partials = list(partials)
        summed = {name: math.fsum(p[name] for p in partials) for name in ("beyond", *BINS.names)}
        return {**Means().merge(partials), **summed}

    def finish(self, partial: Numbers) -> Numbers:
        """count; mean, its interval (normal) and sd; the share at 0.6 or beyond, its interval (Wilson); quantiles."""
        count, beyond = partial["count"], partial["beyond"]
        least, most = intervals.of_rate(beyond, count)
        counts = [partial[name] for name in BINS.names]
        return {
            **Means().finish(partial),
            "flip_rate": beyond / count if count else math.nan,
            "flip_rate_low": least,
            "flip_rate_high": most,
            **{name: BINS.quantile(counts, q) for name, q in QUANTILES.items()},
        }


class Embedded:
    """Faces by dlib's network."""

    networks = (NETWORK,)

    def __init__(self, network: DlibIdentity) -> None:
        self._network, self.fingerprint = network, network.fingerprint

    def see(self, faces: Faces) -> NDArray[np.float64]:
        there_N = faces.no_padding()
        return spread(self._network(faces.looked_at()[torch.from_numpy(there_N)]), there_N)

    def compare(
        self, source: NDArray[np.float64], edited: NDArray[np.float64], attributes: Sequence[str]
    ) -> Mapping[str, Values]:
        """The distance, and of which pairs there is none."""
        distance_N = np.linalg.norm(source - edited, axis=1)
        return {"": Values(distance_N), "identity_dlib_no_face": Values(np.isnan(distance_N).astype(np.float64))}
