"""Which edited rows are compared with which sources.

Shapes: M rows of edits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import SpecError

Sides = Callable[[NDArray[np.floating]], NDArray[np.int64]]
"""Strengths (N,) -> 1 of rows that went up, -1 of rows that went down, (N,)."""


def pairs(
    index_M: NDArray[np.int64],
    request_M: NDArray[np.int64],
    step_M: NDArray[np.int64],
    strength_M: NDArray[np.floating],
    sides: Mapping[int, Sides],
    kept: Sequence[int] | None = None,
) -> Iterator[tuple[tuple[int, int, int], NDArray[np.int64], NDArray[np.int64]]]:
    """For each request, step after the source, and side: these, and the places of the sources and of the edited rows.

    Args:
        index_M, request_M, step_M: rise by (index, request, step). strength_M: how far the rows were moved.
        sides: of each request.
        kept: the steps that were to be kept, where rows may end before others do: one that has ended stands still, and
            counts in each later step too. None where each row has each step.

    Raises:
        SpecError: a row has no source.
    """
    for request in np.unique(request_M).tolist():
        its = np.flatnonzero(request_M == request)
        sources = its[step_M[its] == 0]
        for step in np.unique(step_M[its]).tolist() if kept is None else kept:
            if step == 0:
                continue
            if kept is None:
                edited = its[step_M[its] == step]
            else:
                so_far = its[step_M[its] <= step]
                edited = so_far[np.diff(index_M[so_far], append=-1) != 0]  # the last of each index
            found = np.searchsorted(index_M[sources], index_M[edited])
            if len(sources) == 0 or found.max() >= len(sources) or (index_M[sources[found]] != index_M[edited]).any():
                raise SpecError(f"request {request} keeps no step 0 to compare with: edit with --keep all")
            side_N = sides[request](strength_M[edited])
            for side in (1, -1):
                if (its_own := side_N == side).any():
                    yield (request, step, side), sources[found[its_own]], edited[its_own]
