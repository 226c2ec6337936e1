"""Whether scores went where an edit was to take them, and which rows stay as they are: counted for each request, so
that a job can say so in the end.

Shapes: N rows, R requests, K steps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.editors.gradients import score_of
from pipeline.editors.trace import DONE, NOT_REACHED, Trace
from pipeline.errors import SpecError

SEEN, AGAINST, SHORT = "edits_whose_score_was_seen", "edits_against_their_score", "edits_that_did_not_reach"
STAYED = "edits_that_stay"
"""Counter of the rows that have no step but the source: its name goes on with the request and why."""


@dataclass(frozen=True)
class Effect:
    """Of one request, in rows: whose score was seen at two strengths or more, of these those whose score was lower at
    the largest strength than at the smallest, and those that did not reach what was asked for. stayed: by reason, those
    that stay as they are; the most frequent reason first."""

    seen: int
    against: int
    short: int
    stayed: Mapping[str, int] = field(default_factory=dict)


def slope_of_trace(trace: Trace, attributes: Sequence[str]) -> NDArray[np.int8]:
    """(N,) as `slopes`, from what the editor itself saw; -1 where one of several attributes is lower."""
    scores = {name: score_NK.cpu().numpy() for name, score_NK in trace.scores.items()}
    strength_NK, there_NK = trace.strengths.cpu(), trace.kept.cpu()
    return _of_all([slopes(strength_NK, _score_of(name, scores), there_NK) for name in attributes])


def slope_of_columns(
    columns: Mapping[str, NDArray], attributes: Sequence[str], strength_NK: ArrayLike, there_NK: ArrayLike, judge: str
) -> NDArray[np.int8]:
    """(N,) as `slope_of_trace`, from columns (N, K) of scores; those of the judge, whose names begin with `judge`,
    serve where there are no others."""
    judged = {name.removeprefix(judge): column for name, column in columns.items() if name.startswith(judge)}
    found = []
    for name in attributes:
        seen = (score_NK for of in (columns, judged) if (score_NK := _score_of(name, of)) is not None)
        found.append(slopes(strength_NK, next(seen, None), there_NK))
    return _of_all(found)


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


def counted(slope_NR: NDArray[np.int8], stop_NR: NDArray, last_NR: NDArray[np.int64]) -> dict[str, float]:
    """Counters of some rows, whose names tell the request by its number. last: the last step of each row."""
    counters: dict[str, float] = {}
    for request in range(slope_NR.shape[1]):
        slope, stops = slope_NR[:, request], stop_NR[:, request]
        found = {
            SEEN: int((slope != 0).sum()),
            AGAINST: int((slope < 0).sum()),
            SHORT: sum(stop.startswith(NOT_REACHED) for stop in stops),
        }
        counters |= {f"{name}_{request}": float(count) for name, count in found.items() if count}
        stayed = Counter(stop for stop, last in zip(stops, last_NR[:, request], strict=True) if _stays(stop, int(last)))
        counters |= {f"{STAYED}_{request}: {stop}": float(count) for stop, count in stayed.items()}
    return counters


def effects(counters: Iterable[Mapping[str, float]], requests: int) -> list[Effect]:
    """Of each request, over the counters of all rows."""
    all_of_them = list(counters)

    def total(name: str, request: int) -> int:
        return int(sum(each.get(f"{name}_{request}", 0.0) for each in all_of_them))

    def stayed(request: int) -> dict[str, int]:
        found: Counter[str] = Counter()
        begun = f"{STAYED}_{request}: "
        for each in all_of_them:
            found.update({name.removeprefix(begun): int(n) for name, n in each.items() if name.startswith(begun)})
        return dict(sorted(found.items(), key=lambda one: (-one[1], one[0])))

    return [Effect(total(SEEN, one), total(AGAINST, one), total(SHORT, one), stayed(one)) for one in range(requests)]


def _of_all(slope_AN: Sequence[NDArray[np.int8]]) -> NDArray[np.int8]:
    """-1 where that of one attribute is, else 1 where that of one is, else 0."""
    each = np.stack(slope_AN)
    return np.where((each < 0).any(axis=0), -1, each.max(axis=0)).astype(np.int8)


def _stays(stop: str, last: int) -> bool:
    """Whether a row that ended so stays as it is. One that was to reach a score and did not is counted as such."""
    return last == 0 and stop != DONE and not stop.startswith(NOT_REACHED)


def _score_of(attribute: str, scores: Mapping[str, NDArray]) -> NDArray | None:
    try:
        return score_of(attribute, scores)
    except SpecError:
        return None
