"""How far until a score is reached: bracketing and bisection, each row for itself, evaluated in batches.

Shapes: N rows, B slots of a batch, R rows in one.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from pipeline.editors.gradients import score_of
from pipeline.editors.request import SIDES, EditRequest
from pipeline.editors.trace import NOT_FINITE, REACHED, not_reached
from pipeline.errors import SpecError

Evaluate = Callable[[Tensor, Tensor], Mapping[str, Tensor]]
"""rows (R,) int64, strengths (R,) float64 -> scores by attribute, (R,) each."""


@dataclass(frozen=True)
class Search:
    """Doubling from `first` until the score is reached, then halving the last interval down to `tolerance`.

    first, tolerance, bound: strengths; a row goes no further than `bound` to either side.
    batch_size: B, rows in an evaluation; None for as many as there are rows. Row i is always in slot i mod B, whichever
        rows are beside it.

    The score need not be monotone: what is found is a strength at which it is reached, such that it is not reached
    `tolerance` before.

    Raises:
        SpecError: not 0 < tolerance, 0 < first <= bound < infinity, 1 <= batch_size.
    """

    bound: float = 10.0
    first: float = 0.5
    tolerance: float = 0.02
    batch_size: int | None = None

    def __post_init__(self) -> None:
        sized = self.batch_size is None or self.batch_size >= 1
        if not (0 < self.tolerance < math.inf and 0 < self.first <= self.bound < math.inf and sized):
            raise SpecError(f"a search needs 0 < first <= bound, tolerance > 0 and batches of 1 or more: {self}")


@dataclass(frozen=True)
class Found:
    """strengths (N,) float64, signed; the scores there and those of the source, by attribute (N,); why rows stopped.

    Scores are NaN where a row was not finite.
    """

    strengths: Tensor
    scores: Mapping[str, Tensor]
    source: Mapping[str, Tensor]
    stops: tuple[str, ...]


def reach(
    evaluate: Evaluate,
    requests: Sequence[EditRequest],
    usable: Sequence[bool],
    search: Search,
) -> Found:
    """The strength of each row at which its score is reached.

    Args:
        evaluate: is called with up to B rows, no two of which have the same slot.
        requests: of each row, with the score to reach; others' names for an attribute are known (`aliases`).
        usable: which rows are finite to begin with; the others are not evaluated.

    Raises:
        SpecError: there is no score of an attribute.
    """
    rows = [_Row(request, finite, search) for request, finite in zip(requests, usable, strict=True)]
    batch_size = search.batch_size or len(rows)
    seen: list[dict[str, float]] = [{} for _ in rows]
    source: list[dict[str, float]] = [{} for _ in rows]
    first = True
    while active := [i for i, row in enumerate(rows) if not row.stop]:
        for turn in turns(active, batch_size):
            strengths = torch.tensor([rows[i].strength for i in turn], dtype=torch.float64)
            found = evaluate(torch.tensor(turn, dtype=torch.int64), strengths)
            numbers = {name: values.detach().double().tolist() for name, values in found.items()}
            for place, i in enumerate(turn):
                scores = {name: values[place] for name, values in numbers.items()}
                score = score_of(requests[i].attribute, scores)
                if first:
                    source[i] = scores
                if rows[i].saw(score, all(map(math.isfinite, scores.values()))):
                    seen[i] = scores
        first = False
    return Found(
        strengths=torch.tensor([row.result for row in rows], dtype=torch.float64),
        scores=_columns(seen),
        source=_columns(source),
        stops=tuple(row.stop for row in rows),
    )


class _Row:
    """The search of one row. `strength` is what to try next, `result` the best that is known."""

    def __init__(self, request: EditRequest, usable: bool, search: Search) -> None:
        self._until, self._search = request.until or 0.0, search
        self._side = SIDES[request.target]
        self._low, self._high = 0.0, math.inf
        self._next = 0.0
        self.result = 0.0
        self.stop = "" if usable else NOT_FINITE

    @property
    def strength(self) -> float:
        return self._side * self._next + 0.0  # no minus zero

    def saw(self, score: float, finite: bool) -> bool:
        """Take the score at `strength` into account; whether that is the result now."""
        if not finite:
            self.stop = NOT_FINITE
            return False
        if self._side == 0:
            self._side = -1.0 if score > 0 else 1.0
        hit = self._side * score >= self._until
        if hit:
            self._high = self._next
        else:
            self._low = self._next
        taken = hit or (self._high == math.inf and self._low >= self._search.bound)
        if taken:
            self.result = self.strength
        self._go_on()
        return taken

    def _go_on(self) -> None:
        search = self._search
        if self._high == math.inf:
            if self._low >= search.bound:
                self.stop = not_reached(f"{search.bound:g}")
            self._next = min(max(search.first, 2 * self._low), search.bound)
        elif self._high - self._low <= search.tolerance:
            self.stop = REACHED
        else:
            self._next = (self._low + self._high) / 2


def turns(rows: Sequence[int], batch_size: int) -> Iterator[list[int]]:
    """The rows in batches, of which no two have one slot: row i has the slot i mod batch_size."""
    waiting: dict[int, list[int]] = defaultdict(list)
    for row in rows:
        waiting[row % batch_size].append(row)
    for turn in range(max(map(len, waiting.values()), default=0)):
        yield sorted(queue[turn] for queue in waiting.values() if turn < len(queue))


def _columns(scores: Sequence[Mapping[str, float]]) -> dict[str, Tensor]:
    names = list(dict.fromkeys(name for row in scores for name in row))
    return {name: torch.tensor([row.get(name, math.nan) for row in scores], dtype=torch.float64) for name in names}
