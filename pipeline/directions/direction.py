"""A direction of one attribute in a latent space.

Shapes: N rows, Z z_dim, L layers (num_ws), W w_dim, S style channels.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from pipeline.directions.names import check_name
from pipeline.errors import SpecError
from pipeline.models.codes import SPACES, Codes, Space

UNIT = 1e-3
"""How far from 1 the norm of a vector may be: float32 and files of others."""


@dataclass(frozen=True, eq=False)
class Direction:
    """A unit vector with the intercept of its hyperplane: distance(x) = <vector, x> + intercept.

    This is Eq. 1 of the InterFaceGAN paper with the intercept kept.

    Attributes:
        attribute: what grows along the vector, under the name that it came with.
        method: svm, svm-l1, svm-l1-normal, ridge, mean-gradient, ganspace, sefa, channel, random or imported.
        space: where the vector lives.
        vector: (Z,), (W,), (L, W) or (S,), of norm 1 over all its numbers. In w+ a (W,) vector is shared by all layers:
            it is added to each, and its distance is that of the mean over the layers.
        intercept: in units of the distance, so divided by the norm of the raw normal.
        conditions: attributes whose directions were projected out.
        C, fraction: of the fit, where there was one.
        accuracies: of the fit: train, validation, remaining, all; those that there are.
        rows: how many rows it was fitted on.
        generator: fingerprint of the generator whose space it is, None where that is unknown.
        classifier: fingerprint or name of what scored the rows.

    Raises:
        SpecError: an unknown space, a vector of another shape or norm, numbers that are not finite, or a name that
            could not be typed (`names.check_name`).
    """

    attribute: str
    method: str
    space: Space
    vector: NDArray[np.float32]
    intercept: float = 0.0
    conditions: tuple[str, ...] = ()
    C: float | None = None
    fraction: float | None = None
    accuracies: Mapping[str, float] = field(default_factory=dict)
    rows: int | None = None
    generator: str | None = None
    classifier: str | None = None

    def __post_init__(self) -> None:
        if self.space not in SPACES:
            raise SpecError(f"unknown latent space {self.space!r}: choose one of {', '.join(SPACES)}")
        check_name(self.attribute)
        for condition in self.conditions:
            check_name(condition, conditional=True)
        vector = np.array(self.vector, dtype=np.float32)
        if vector.ndim not in ((1, 2) if self.space == "w+" else (1,)) or vector.size == 0:
            raise SpecError(f"a direction of {self.attribute} in {self.space} cannot have the shape {vector.shape}")
        norm = float(np.linalg.norm(vector.astype(np.float64)))
        if not (np.isfinite(norm) and np.isfinite(self.intercept)):
            raise SpecError(f"the direction of {self.attribute} has numbers that are not finite")
        if abs(norm - 1.0) > UNIT:
            raise SpecError(f"the direction of {self.attribute} has norm {norm:.6g}, not 1: use normalised()")
        vector.flags.writeable = False
        object.__setattr__(self, "vector", vector)
        object.__setattr__(self, "intercept", float(self.intercept))
        object.__setattr__(self, "conditions", tuple(self.conditions))

    @property
    def name(self) -> str:
        """The attribute with its conditions: `old|eyeglasses,male`."""
        return f"{self.attribute}|{','.join(self.conditions)}" if self.conditions else self.attribute

    def distance(self, codes: Codes) -> Tensor:
        """(N,) float64, signed distance of each row to the hyperplane.

        Raises:
            SpecError: the codes are of another space or width.
        """
        self.check(codes)
        values = codes.values.double()
        vector = torch.from_numpy(self.vector.astype(np.float64)).to(values.device)
        if codes.space == "w+" and vector.dim() == 1:
            values = values.mean(dim=1)
        return values.flatten(1) @ vector.flatten() + self.intercept

    def along(self, codes: Codes) -> Tensor:
        """The vector in the shape of one row of codes.values, and of its type: x + t * along moves the distance by t.

        Raises:
            SpecError: the codes are of another space or width.
        """
        self.check(codes)
        vector = torch.tensor(self.vector, dtype=codes.values.dtype, device=codes.values.device)
        return vector.expand(codes.values.shape[1:])

    def check(self, codes: Codes) -> None:
        """Raises SpecError where the codes are of another space or width."""
        if codes.space != self.space:
            hint = ": use in_w_plus()" if (self.space, codes.space) == ("w", "w+") else ""
            raise SpecError(f"the direction of {self.name} is in {self.space}, the codes are in {codes.space}{hint}")
        row = tuple(codes.values.shape[1:])
        if row[-self.vector.ndim :] != self.vector.shape:
            raise SpecError(f"the direction of {self.name} has the shape {self.vector.shape}, a row of the codes {row}")

    def in_w_plus(self) -> Direction:
        """The same vector of w, shared by all layers of w+.

        Raises:
            SpecError: this is a direction of another space.
        """
        if self.space != "w":
            raise SpecError(f"the direction of {self.name} is in {self.space}: only one of w is shared by layers of w+")
        return dataclasses.replace(self, space="w+")


def normalised(
    attribute: str, method: str, space: Space, vector: ArrayLike, intercept: float = 0.0, **about: Any
) -> Direction:
    """A direction from a raw normal: vector and intercept are divided by the norm. `about`: Direction's other fields.

    Raises:
        SpecError: the norm is 0 or not finite, or as Direction.
    """
    raw = np.asarray(vector, dtype=np.float64)
    norm = float(np.linalg.norm(raw))
    if not (np.isfinite(norm) and norm > 0):
        raise SpecError(f"the direction of {attribute} has norm {norm:g}, and so no direction")
    return Direction(attribute, method, space, (raw / norm).astype(np.float32), intercept / norm, **about)
