"""Is it still the same person? The cosine between embeddings of the source and of the edited face.

Shapes: N rows, E numbers of an embedding.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from pipeline.errors import SpecError
from pipeline.metrics import intervals
from pipeline.metrics.face_metric import Faces
from pipeline.metrics.histogram import Bins
from pipeline.metrics.metric import Numbers, finite
from pipeline.metrics.moments import Moments
from pipeline.metrics.number import Number
from pipeline.models.classifiers import identity as embedding

BINS = Bins(-1.0, 1.0, 400)
QUANTILES = {"q05": 0.05, "median": 0.5, "q95": 0.95}


class IdentityBatch(NamedTuple):
    """Embeddings (N, E) of any length, as `pipeline.models.classifiers.identity.Identity` gives them."""

    source: NDArray[np.floating]
    edited: NDArray[np.floating]


class Identity:
    """Mean, spread and quantiles of the cosine; 1 is the same picture. Quantiles come from bins that are 0.005 wide."""

    name, table = "identity", "metrics_identity"
    about = "the cosine between embeddings of the source and of the edited face (fr-feature)"
    always, looks, by_part = False, True, False
    packages = ()
    measures: ClassVar = {"": Number(1.0, "larger")}
    numbers = ("count", "mean", "m2", *BINS.names)

    def open(self, device: str, judge: str) -> Embedded:
        return Embedded(embedding.load(device))

    def measure(self, batch: IdentityBatch) -> Numbers:
        """count, mean and m2 (sum of squared deviations), and how many rows are in each bin.

        Raises:
            SpecError: as `similarity`.
        """
        cosine_N = similarity(batch.source, batch.edited)
        counts = dict(zip(BINS.names, map(float, BINS.counts(cosine_N)), strict=True))
        return {**Moments.of(cosine_N).as_dict(), **counts}

    def merge(self, partials: Iterable[Numbers]) -> Numbers:
        partials = list(partials)
        moments = Moments.merged(Moments(p["count"], p["mean"], p["m2"]) for p in partials)
        return {**moments.as_dict(), **{name: math.fsum(p[name] for p in partials) for name in BINS.names}}

    def finish(self, partial: Numbers) -> Numbers:
        """count; mean, its interval (normal) and sd; quantiles (each off by at most 0.005)."""
        moments = Moments(partial["count"], partial["mean"], partial["m2"])
        mean = moments.mean if moments.count else math.nan
        low, high = intervals.of_mean(mean, moments.sd, moments.count)
        counts = [partial[name] for name in BINS.names]
        quantiles = {name: BINS.quantile(counts, q) for name, q in QUANTILES.items()}
        return {"count": moments.count, "mean": mean, "mean_low": low, "mean_high": high, "sd": moments.sd, **quantiles}


class Embedded:
    """Faces by the network of identity."""

    networks = embedding.NETWORKS

    def __init__(self, network: embedding.Identity) -> None:
        self._network, self.fingerprint = network, network.fingerprint

    def see(self, faces: Faces) -> NDArray[np.float32]:
        with torch.no_grad():
            return self._network(faces.looked_at()).float().cpu().numpy()

    def compare(
        self, source: NDArray[np.float32], edited: NDArray[np.float32], attributes: Sequence[str]
    ) -> Mapping[str, IdentityBatch]:
        """Of whole faces."""
        return {"": IdentityBatch(source, edited)}


def similarity(source_NE: ArrayLike, edited_NE: ArrayLike) -> NDArray[np.float64]:
    """(N,) cosine of each pair of rows, in [-1, 1].

    Raises:
        SpecError: the shapes differ, or an embedding is not finite or 0.
    """
    source, edited = finite("source", source_NE), finite("edited", edited_NE)
    if source.shape != edited.shape or source.ndim != 2:
        raise SpecError(f"embeddings have the shapes {source.shape} and {edited.shape}: give pairs of rows")
    lengths = np.linalg.norm(source, axis=1) * np.linalg.norm(edited, axis=1)
    if not lengths.all():
        raise SpecError(f"row {int(np.flatnonzero(lengths == 0)[0])} has an embedding of zeros: no cosine")
    return np.clip(np.einsum("ne,ne->n", source, edited) / lengths, -1.0, 1.0)
