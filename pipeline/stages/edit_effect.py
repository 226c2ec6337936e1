"""Whether scores went where an edit was to take them, counted for each request so that a job can warn in the end.

Shapes: N rows, R requests, K steps.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.editors import Trace
from pipeline.editors.gradients import score_of
from pipeline.editors.trace import NOT_REACHED
from pipeline.errors import SpecError
from schemas.edits import JUDGE

SEEN, AGAINST, SHORT = "edits_whose_score_was_seen", "edits_against_their_score", "edits_that_did_not_reach"


@dataclass(frozen=True)
class Effect:
    """Of one request, in rows: whose score was seen at two strengths or more, of these those whose score was lower at
    the largest strength than at the smallest, and those that did not reach what was asked for."""

    seen: int
    against: int
    short: int


def seen_on_the_way(trace: Trace, attribute: str) -> NDArray[np.int8]:
    """(N,) as `slopes`, from what the editor itself saw."""
    return slopes(trace.strengths.cpu(), _scores(trace.scores, attribute), trace.kept.cpu())


def seen_in_columns(
    columns: Mapping[str, NDArray], attribute: str, request: int, there_NK: NDArray
) -> NDArray[np.int8]:
    """(N,) as `slopes`, from the columns (N, R, K) of the table; the judge's scores serve where there are no others."""
    found = {name: column[:, request] for name, column in columns.items() if column.ndim == 3}
    scores = _scores(found, attribute)
    if scores is None:
        judged = {name.removeprefix(JUDGE): column for name, column in found.items() if name.startswith(JUDGE)}
        scores = _scores(judged, attribute)
    return slopes(found["strength"], scores, there_NK)


def slopes(strength_NK: ArrayLike, score_NK: ArrayLike | None, there_NK: ArrayLike) -> NDArray[np.int8]:
    """(N,): 1 where the score is higher at the largest strength than at the smallest, -1 where it is lower, else 0; 0
    also where it was not seen at two strengths."""
    strength = np.asarray(strength_NK, dtype=np.float64)
    if score_NK is None:
        return np.zeros(len(strength), dtype=np.int8)
    score = np.asarray(score_NK, dtype=np.float64)
    usable = np.asarray(there_NK) & np.isfinite(score) & np.isfinite(strength)
    row = np.arange(len(strength))
    low, high = np.where(usable, strength, np.inf).argmin(axis=1), np.where(usable, strength, -np.inf).argmax(axis=1)
    apart = usable.any(axis=1) & (strength[row, high] > strength[row, low])
    with np.errstate(invalid="ignore"):
        return np.where(apart, np.sign(score[row, high] - score[row, low]), 0).astype(np.int8)


def counted(slope_NR: NDArray[np.int8], stop_NR: NDArray) -> dict[str, float]:
    """Counters of a batch, whose names end in the number of the request."""
    counters: dict[str, float] = {}
    for request in range(slope_NR.shape[1]):
        slope, stops = slope_NR[:, request], stop_NR[:, request]
        found = {
            SEEN: int((slope != 0).sum()),
            AGAINST: int((slope < 0).sum()),
            SHORT: sum(stop.startswith(NOT_REACHED) for stop in stops),
        }
        counters |= {f"{name}_{request}": float(count) for name, count in found.items() if count}
    return counters


def effects(counters: Iterable[Mapping[str, float]], requests: int) -> list[Effect]:
    """Of each request, over all shards."""
    all_of_them = list(counters)

    def total(name: str, request: int) -> int:
        return int(sum(each.get(f"{name}_{request}", 0.0) for each in all_of_them))

    return [Effect(total(SEEN, one), total(AGAINST, one), total(SHORT, one)) for one in range(requests)]


def _scores(scores: Mapping[str, ArrayLike], attribute: str) -> ArrayLike | None:
    try:
        found = score_of(attribute, {name: np.asarray(_on_cpu(column)) for name, column in scores.items()})  # type: ignore[type-var]
    except SpecError:
        return None
    return found


def _on_cpu(column: ArrayLike) -> ArrayLike:
    return column.cpu() if hasattr(column, "cpu") else column
