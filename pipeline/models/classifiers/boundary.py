"""Where an attribute begins: the rules by which `stylemill calibrate` finds the raw value at which a score is 0.

Shapes: N calibration faces.
"""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

MIRRORED = 200
"""Faces whose mirror image is compared with them."""


class Measured(NamedTuple):
    """A raw statistic of the calibration faces, (N,), and of their mirror images, (N,), where that was asked for."""

    raw: NDArray[np.float32]
    mirrored: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Fixed:
    """The statistic itself says where: the same raw value for every generator."""

    value: float
    how: str
    beside: ClassVar[str | None] = None

    def find(self, own: Measured, other: tuple[Measured, float] | None) -> float:
        return self.value


@dataclass(frozen=True)
class SameShare:
    """The same share of faces has the attribute as by the family `beside`; for a statistic whose own zero is biased."""

    beside: str

    @property
    def how(self) -> str:
        return f"same share as {self.beside}"

    def find(self, own: Measured, other: tuple[Measured, float] | None) -> float:
        """other: what the family `beside` measured, and its boundary."""
        assert other is not None
        measured, boundary = other
        share = float((measured.raw > boundary).mean())
        return float(np.quantile(own.raw, 1 - share))


@dataclass(frozen=True)
class Mirror:
    """A face and its mirror image have opposite scores on average."""

    how: ClassVar[str] = "face against mirror image"
    beside: ClassVar[str | None] = None

    def find(self, own: Measured, other: tuple[Measured, float] | None) -> float:
        assert own.mirrored is not None
        return float((own.raw[:MIRRORED] + own.mirrored[:MIRRORED]).mean() / 2)


Boundary: TypeAlias = Fixed | SameShare | Mirror
