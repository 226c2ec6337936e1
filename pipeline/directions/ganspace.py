"""GANSpace: the principal components of w as directions, without labels (Härkönen et al. 2020).

The moments are merged exactly, so that shards of codes can be summed in any grouping, and each is read once. That is
why they are not scikit-learn's: PCA wants all codes in memory, and IncrementalPCA does not merge, and gives other
components for other sizes and orders of its batches.

Shapes: N rows, W w_dim, K components.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pipeline.directions.direction import Direction, normalised
from pipeline.errors import SpecError
from pipeline.models.codes import Codes, Space


@dataclass(frozen=True, eq=False)
class Moments:
    """Mergeable moments of codes: how many rows, their mean (W,) and scatter (W, W) about it, in float64."""

    count: int
    mean: NDArray[np.float64]
    scatter: NDArray[np.float64]

    @classmethod
    def of(cls, codes: Codes) -> Moments:
        """The moments of some rows of w or z.

        Raises:
            SpecError: codes of w+ or s, none at all, or a number that is not finite.
        """
        if codes.space not in ("w", "z"):
            raise SpecError(f"components are those of w or z, these codes are in {codes.space}")
        values = codes.values.detach().cpu().double().numpy()
        if len(values) == 0:
            raise SpecError("there are no codes to take moments of")
        if not np.isfinite(values).all():
            row = int(np.flatnonzero(~np.isfinite(values).all(axis=1))[0])
            raise SpecError(f"the code of row {row} is not finite: leave it out")
        mean = values.mean(axis=0)
        centred = values - mean
        return cls(len(values), mean, centred.T @ centred)

    def merge(self, other: Moments) -> Moments:
        """The moments of both together (Chan et al.).

        Raises:
            SpecError: moments of another width.
        """
        if self.mean.shape != other.mean.shape:
            raise SpecError(f"moments of width {len(self.mean)} and of {len(other.mean)} are of different spaces")
        count = self.count + other.count
        apart = other.mean - self.mean
        mean = self.mean + apart * (other.count / count)
        between = np.outer(apart, apart) * (self.count * other.count / count)
        return Moments(count, mean, self.scatter + other.scatter + between)

    def deviations(self, directions: Sequence[Direction]) -> NDArray[np.float64]:
        """(K,) standard deviation of the codes along each of K directions (W,)."""
        vectors_KW = np.stack([direction.vector for direction in directions]).astype(np.float64)
        covariance_WW = self.scatter / max(1, self.count - 1)
        return np.sqrt(np.maximum(np.einsum("kw,wv,kv->k", vectors_KW, covariance_WW, vectors_KW), 0.0))


@dataclass(frozen=True, eq=False)
class Components:
    """Directions `pc0`, `pc1`, ... of falling variance, and the variance (K,) of the codes along each."""

    directions: tuple[Direction, ...]
    variances: NDArray[np.float64]


def components(moments: Moments, count: int, space: Space = "w", generator: str | None = None) -> Components:
    """The first principal components. Each passes through the mean: its distance is 0 there.

    The number of largest magnitude in each vector is positive, as scikit-learn's PCA has it.

    Raises:
        SpecError: more components than the codes have width, or than rows less one.
    """
    width = len(moments.mean)
    most = min(width, moments.count - 1)
    if not 1 <= count <= most:
        raise SpecError(f"{count} components were asked: {moments.count} codes of width {width} have 1 to {most}")
    variances, vectors = np.linalg.eigh(moments.scatter / (moments.count - 1))
    chosen = vectors[:, ::-1][:, :count].T
    directions = [
        normalised(f"pc{k}", "ganspace", space, v, -float(v @ moments.mean), rows=moments.count, generator=generator)
        for k, v in enumerate(map(signed, chosen))
    ]
    return Components(tuple(directions), np.maximum(variances[::-1][:count], 0.0))


def signed(vector: NDArray[np.float64]) -> NDArray[np.float64]:
    """The vector or its opposite: the number of largest magnitude (the first of them) is positive."""
    return vector if vector[np.abs(vector).argmax()] >= 0 else -vector


def named_by_effect(
    component: Direction, changes: Mapping[str, float], classifier: str | None = None
) -> tuple[Direction, float]:
    """A component named after the attribute that it moves most, turned so that this attribute's score rises along it;
    and 1, or -1 where it was turned.

    changes: mean change of each score along the component, in standard deviations, so that attributes can be compared.
    Equal changes: the attribute named first. classifier: what scored, kept in the direction.

    Raises:
        SpecError: no attribute was measured, or a change is not finite.
    """
    if not changes:
        raise SpecError(f"no score was measured along {component.attribute}: measure at least one attribute")
    if wrong := [attribute for attribute, change in changes.items() if not np.isfinite(change)]:
        raise SpecError(
            f"the change of {wrong[0]} along {component.attribute} is {changes[wrong[0]]}: measure it again"
        )
    most = max(changes, key=lambda attribute: abs(changes[attribute]))
    sign = -1.0 if changes[most] < 0 else 1.0
    vector, intercept = np.float32(sign) * component.vector, sign * component.intercept
    return replace(component, attribute=most, vector=vector, intercept=intercept, classifier=classifier), sign
