"""What each stage of a sequence of edits changed: sums of scores, counted as the rows come, so that a job can say so in
the end.

Shapes: N rows, R requests, K kept steps.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

COUNT, CHANGE = "stage_rows", "stage_change"


def changes(columns: Mapping[str, NDArray], scores: Sequence[str], kept: Sequence[int]) -> dict[str, float]:
    """Counters of some rows: of each request and stage how many rows there are, and how much each score rose in all.

    Args:
        columns: (N, R, K) of each score, and `steps`, all of which are there.
        kept: which steps were kept. A stage is told of where the step before it was kept too.
    """
    counters: dict[str, float] = {}
    for place, step in enumerate(kept):
        if not place or kept[place - 1] != step - 1:
            continue
        for request in range(columns["steps"].shape[1]):
            counters[f"{COUNT}_{request}_{step}"] = float(len(columns["steps"]))
            for name in scores:
                rise_N = columns[name][:, request, place] - columns[name][:, request, place - 1]
                counters[f"{CHANGE}_{request}_{step}_{name}"] = float(np.sum(rise_N, dtype=np.float64))
    return counters


def told(
    counters: Iterable[Mapping[str, float]], request: int, stages: Sequence[str], scores: Sequence[str]
) -> dict[str, dict[str, float]]:
    """By stage, the mean rise of each score over all rows; without the stages of which nothing was seen."""
    every = list(counters)

    def total(name: str) -> float:
        return sum(each.get(name, 0.0) for each in every)

    found = {}
    for step, stage in enumerate(stages, 1):
        if rows := total(f"{COUNT}_{request}_{step}"):
            found[stage] = {name: total(f"{CHANGE}_{request}_{step}_{name}") / rows for name in scores}
    return found
