"""What every metric offers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.errors import SpecError

Numbers = Mapping[str, float]
"""A flat dict of numbers: so a partial is a row of a table."""

Batch_contra = TypeVar("Batch_contra", bound=tuple[NDArray[Any], ...], contravariant=True)


class Metric(Protocol[Batch_contra]):
    """A measurement that is taken in pieces.

    A batch is a named tuple of arrays of N rows, N >= 0. Measuring all rows at once, or in any pieces that are then
    merged in any order, gives the same up to rounding; in equal pieces merged in equal order, the same bits.

    name: one word, for the column `metric`.
    numbers: the names of a partial's numbers, in order.
    """

    @property
    def name(self) -> str: ...

    @property
    def numbers(self) -> tuple[str, ...]: ...

    def measure(self, batch: Batch_contra) -> Numbers:
        """The partial of some rows; finite numbers only. Raises SpecError for a value that is not finite."""
        ...

    def merge(self, partials: Iterable[Numbers]) -> Numbers:
        """One partial of several; of none, that of no row."""
        ...

    def finish(self, partial: Numbers) -> Numbers:
        """What a person reads, with 95% intervals; NaN where there are too few rows to say."""
        ...


def finite(name: str, values: ArrayLike) -> NDArray[np.float64]:
    """The values as float64. Raises SpecError, which names the first row, where one is not finite."""
    array = np.asarray(values, dtype=np.float64)
    if not np.isfinite(array).all():
        row = int(np.argwhere(~np.isfinite(array))[0, 0])
        raise SpecError(f"{name}: row {row} is not finite: leave out the rows that were rejected")
    return array
