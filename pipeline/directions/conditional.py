"""Conditional manipulation: a direction with those of its conditions projected out (paper Sec. 2.2, Fig. 2)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.directions.direction import Direction, normalised
from pipeline.errors import SpecError

COLLINEAR = 1e-6
"""Least eigenvalue of the conditions' cosines. Two directions fall below it within a thousandth of a radian."""
INSIDE = 1e-3
"""Least norm of what is left of the primal."""


def project(primal: Direction, conditions: Sequence[Direction]) -> Direction:
    """The primal direction without its part in the span of the conditions, of norm 1 again.

        n' = (n - sum_i a_i c_i) / norm,    G a = (<c_i, n>)_i,    G = (<c_i, c_j>)_ij

    Moving along n' leaves the distance to every condition's hyperplane as it is. A projected hyperplane has no fitted
    intercept. It gets (b - sum_i a_i b_i) / norm, so that its distance is the same combination of the distances as its
    vector is of the vectors: where a face is on the boundary of every condition, the primal's boundary does not move.

    In w+ a condition shared by all layers stands beside a primal of each layer. `conditions` of the result names them.

    Raises:
        SpecError: no condition; directions of different spaces, shapes or generators; conditions that are collinear,
            or a primal inside their span (they are named); or a primal that was projected on others before, which
            projecting again would undo: project once, on all.
    """
    if not conditions:
        raise SpecError(f"{primal.name} is to be conditioned on nothing: name at least one condition")
    names = tuple(dict.fromkeys(condition.name for condition in conditions))
    if not set(primal.conditions) <= set(names):
        raise SpecError(
            f"{primal.name} is projected already: project {primal.attribute} on {', '.join(primal.conditions)} and "
            f"{', '.join(names)} at once"
        )
    spread = [_like(condition, primal) for condition in conditions]
    c_KD = np.stack([vector for vector, _ in spread])
    b_K = np.array([intercept for _, intercept in spread])
    n_D = primal.vector.astype(np.float64).ravel()
    gram = c_KD @ c_KD.T
    least, weights = np.linalg.eigh(gram)
    if least[0] < COLLINEAR:
        culprits = [one.name for one, weight in zip(conditions, weights[:, 0], strict=True) if abs(weight) > 0.05]
        raise SpecError(f"the conditions {', '.join(culprits)} are collinear: leave one of them out")
    a_K = np.linalg.solve(gram, c_KD @ n_D)
    left_D = n_D - a_K @ c_KD
    left_D -= np.linalg.solve(gram, c_KD @ left_D) @ c_KD  # once more, for what rounding left
    if np.linalg.norm(left_D) < INSIDE * np.linalg.norm(n_D):
        raise SpecError(f"{primal.name} lies in the span of its conditions {', '.join(names)}: nothing of it is left")
    projected = normalised(
        primal.attribute, primal.method, primal.space, left_D.reshape(primal.vector.shape),
        primal.intercept - float(a_K @ b_K),
    )  # fmt: skip
    return dataclasses.replace(
        primal, vector=projected.vector, intercept=projected.intercept, conditions=names, accuracies={}
    )


def _like(condition: Direction, primal: Direction) -> tuple[NDArray[np.float64], float]:
    """The condition's unit vector in the primal's shape, flat, and its intercept."""
    if condition.space != primal.space:
        raise SpecError(f"{primal.name} is in {primal.space}, its condition {condition.name} in {condition.space}")
    if None not in (condition.generator, primal.generator) and condition.generator != primal.generator:
        raise SpecError(f"{primal.name} and its condition {condition.name} are directions of different generators")
    vector = condition.vector.astype(np.float64)
    intercept = condition.intercept
    if vector.shape != primal.vector.shape and vector.shape == primal.vector.shape[1:]:
        # The mean over L layers as one vector of all numbers: v / L in each, of norm 1 / sqrt L.
        vector = np.broadcast_to(vector, primal.vector.shape)
    if vector.shape != primal.vector.shape:
        raise SpecError(
            f"{primal.name} has the shape {primal.vector.shape}, its condition {condition.name} has "
            f"{condition.vector.shape}"
        )
    norm = float(np.linalg.norm(vector))
    intercept *= norm if vector.ndim > condition.vector.ndim else 1.0 / norm
    return (vector / norm).ravel(), intercept
