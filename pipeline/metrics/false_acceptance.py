"""How alike two faces must be to be taken for one person: so alike as few pairs of different persons are.

Shapes: N faces, E numbers of an embedding, M pairs of them, R resamples.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.errors import SpecError
from pipeline.metrics.bootstrap import TAIL, drawn_weights

RATE = 0.001
"""Of pairs of different persons that are taken for one, as in the Latent Transformer's Table 1."""
ALIKE: dict[str, Literal["cosine", "euclidean"]] = {"identity": "cosine", "identity_dlib": "euclidean"}
"""By metric of `stylemill measure`, what says how alike two embeddings are: the cosine, which is to be large, or the
Euclidean distance, which is to be small."""


@dataclass(frozen=True)
class Threshold:
    """Of one metric. value: a pair is taken for one person where it is strictly more alike than this.

    low, high: 95 % of the thresholds of other faces (bootstrap over the faces). rate: the largest share of pairs that
    may be accepted. faces, pairs: what it was found on. accepted: how many of these pairs it accepts.
    """

    name: str
    value: float
    low: float
    high: float
    rate: float
    faces: int
    pairs: int
    accepted: int

    @property
    def ends(self) -> tuple[Threshold, Threshold]:
        """The same at both ends of its interval."""
        return replace(self, value=self.low), replace(self, value=self.high)

    def same(self, values: ArrayLike) -> NDArray[np.float64]:
        """1 where numbers of the metric say that it is one person, 0 where they do not, NaN where there is none."""
        found = np.asarray(values, np.float64)
        alike = found > self.value if ALIKE[self.name] == "cosine" else found < self.value
        return np.where(np.isnan(found), np.nan, alike.astype(np.float64))

    def kept(self, values_NP: NDArray[np.floating]) -> NDArray[np.float64]:
        """(N, P): whether edits keep the person of their source, whose number beside itself is the first column.

        As `same`, but 0 where an edit has no number though its source has one: no face is found in it any more. A
        source without a number has none for its edits.
        """
        found = self.same(values_NP)
        source_N1 = np.isnan(values_NP[:, :1])
        return np.where(source_N1, np.nan, np.nan_to_num(found))


def threshold(
    name: str, embeddings_NE: ArrayLike, rate: float = RATE, resamples: int = 200, seed: int = 0
) -> Threshold:
    """From all pairs of faces of different persons. Rows that are NaN, faces that were not found, are left out.

    Raises:
        SpecError: no such metric, or so few faces that their pairs do not tell such a rate.
    """
    from scipy.spatial.distance import pdist

    if name not in ALIKE:
        raise SpecError(f"{name} does not say whose face it is: choose from {', '.join(ALIKE)}")
    embeddings = np.asarray(embeddings_NE, np.float64)
    embeddings = embeddings[~np.isnan(embeddings).any(axis=1)]
    faces = len(embeddings)
    pairs = faces * (faces - 1) // 2
    if pairs * rate < 1:
        raise SpecError(
            f"{faces} faces make {pairs:,} pairs, and at a rate of {100 * rate:g} % not one of them may be taken for "
            f"one person: give {enough(rate)} faces or more"
        )
    apart_M = pdist(embeddings, ALIKE[name])  # of cosines, 1 less the cosine
    order = np.argsort(apart_M, kind="stable")
    apart_M = apart_M[order]
    first_M, second_M = (place[order] for place in np.triu_indices(faces, 1))
    drawn = []
    for weight_N in drawn_weights(np.random.default_rng(seed), resamples, faces):
        drawn.append(_at_rate(apart_M, weight_N[first_M] * weight_N[second_M], rate))
    low, high = np.quantile(drawn, [TAIL, 1 - TAIL])
    value = _at_rate(apart_M, np.ones(pairs), rate)
    if ALIKE[name] == "cosine":
        value, low, high = 1 - value, 1 - high, 1 - low
        accepted = int(np.count_nonzero(1 - apart_M > value))
    else:
        accepted = int(np.count_nonzero(apart_M < value))
    return Threshold(name, float(value), float(low), float(high), rate, faces, pairs, accepted)


def mean_apart(name: str, embeddings_NE: ArrayLike) -> float:
    """The mean over all pairs of faces of different persons, in the metric's own number: a distance or a cosine. NaN of
    fewer than two faces; rows that are NaN are left out.
    """
    from scipy.spatial.distance import pdist

    embeddings = np.asarray(embeddings_NE, np.float64)
    embeddings = embeddings[~np.isnan(embeddings).any(axis=1)]
    if len(embeddings) < 2:
        return math.nan
    apart = float(pdist(embeddings, ALIKE[name]).mean())
    return 1 - apart if ALIKE[name] == "cosine" else apart


def _at_rate(apart_M: NDArray[np.float64], weight_M: NDArray[np.float64], rate: float) -> float:
    """The distance below which there is that share of the weight, or less: midway between two pairs; distances rise."""
    below_M = np.cumsum(weight_M)
    first = min(int(np.searchsorted(below_M, rate * below_M[-1], side="right")), len(apart_M) - 1)
    return float(apart_M[max(first - 1, 0) : first + 1].mean())


def enough(rate: float) -> int:
    """Faces whose pairs are 1 / rate or more."""
    faces = int(np.sqrt(2 / rate))
    while faces * (faces - 1) // 2 * rate < 1:
        faces += 1
    return faces
