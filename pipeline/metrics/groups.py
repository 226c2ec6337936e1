"""A metric of several groups at once: rows belong to a group by their key.

A key says what a number is of: request and step of the edit, the attribute whose score was measured. Keys are any
tuples that compare equal; groups come in the order in which they are first seen.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import SpecError
from pipeline.metrics.metric import Metric, Numbers

Key = TypeVar("Key", bound=Hashable)
Batch = TypeVar("Batch", bound=tuple[NDArray[Any], ...])


def measure_groups(metric: Metric[Batch], keys: Sequence[Key], batch: Batch) -> dict[Key, Numbers]:
    """The partial of each group of a batch; `keys`: one for each row.

    Raises:
        SpecError: there are not as many keys as rows, or as the metric.
    """
    if any(len(array) != len(keys) for array in batch):
        raise SpecError(f"there are {len(keys)} keys for {', '.join(str(len(array)) for array in batch)} rows")
    places: dict[Key, list[int]] = {}
    for row, key in enumerate(keys):
        places.setdefault(key, []).append(row)
    return {
        key: metric.measure(type(batch)(*(np.asarray(array)[rows] for array in batch))) for key, rows in places.items()
    }


def merge_groups(metric: Metric[Batch], partials: Iterable[Mapping[Key, Numbers]]) -> dict[Key, Numbers]:
    """The partial of each group, from those of batches or tasks; in memory there are the groups, not the pieces."""
    whole: dict[Key, Numbers] = {}
    for piece in partials:
        for key, numbers in piece.items():
            whole[key] = metric.merge([whole[key], numbers]) if key in whole else numbers
    return whole
