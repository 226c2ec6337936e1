"""InterFaceGAN: latents move along one direction, as far as asked, or until a score is reached (Sec. 2.2).

Shapes: N rows, K strengths, D distinct requests, L layers, W w_dim; `...` stands for the shape of one row of codes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, get_args

import torch
from torch import Tensor

from pipeline.editors.editor import Scores
from pipeline.editors.request import EditRequest, distinct
from pipeline.editors.search import Search, reach
from pipeline.editors.trace import DONE, NOT_FINITE, Trace
from pipeline.editors.truncation import Truncation
from pipeline.errors import SpecError
from pipeline.models.codes import Codes, Space

if TYPE_CHECKING:
    from pipeline.directions.direction import Direction

Mode = Literal["relative", "absolute", "as-released"]
MODES: tuple[Mode, ...] = get_args(Mode)


class InterFaceGAN:
    """Moves each row along the direction of its attribute that leaves its conditions alone. Computes in float64.

    mode, for an offset alpha, a unit vector n, and d(x) = <n, x> + intercept:
        relative: x + alpha n.
        absolute: x + (alpha - d(x)) n, which lies at the distance alpha from the boundary; where `layers` are chosen,
            as far as takes the whole of x there.
        as-released: the public edit.py. In z, w and s it is absolute but knows no intercept; in w+ it is relative.
    Absolute edits are what they are before truncation.

    Args:
        directions: of one space, each of another attribute and conditions.
        mode: what strengths mean.
        layers: the rows of w+ that move; None for all.
        truncation: applied to every code of the trace, so that strength 0 and the source are one.
        scores: what `until` is looked up with; needed for it alone.
        search: how `until` is found.
        source: whether the trace starts with the source, as step 0.

    Raises:
        SpecError: two directions are of one attribute and conditions, the mode is unknown, or a layer is repeated.
    """

    def __init__(
        self,
        directions: Iterable[Direction],
        mode: Mode = "relative",
        layers: Sequence[int] | None = None,
        truncation: Truncation | None = None,
        scores: Scores | None = None,
        search: Search | None = None,
        source: bool = False,
    ) -> None:
        if mode not in MODES:
            raise SpecError(f"unknown mode {mode!r}: choose one of {', '.join(MODES)}")
        self._mode, self._layers, self._truncation = mode, _checked(layers), truncation
        self._scores, self._search, self._source = scores, search or Search(), source
        self._directions: dict[tuple[str, tuple[str, ...]], Direction] = {}
        for direction in directions:
            kind = (direction.attribute, tuple(sorted(direction.conditions)))
            if kind in self._directions:
                raise SpecError(f"there are two directions of {direction.name}: give one of them")
            self._directions[kind] = direction

    def edit(self, codes: Codes, requests: Sequence[EditRequest]) -> Trace:
        """Move each row as its request says: K steps for K strengths, or one where its score is reached.

        Strengths carry their own sign, and so go with target 1 alone; with `until`, the target says which way. In the
        trace, strengths of absolute edits are distances from the boundary, of all others offsets.

        Raises:
            SpecError: codes and requests differ in length, a direction is missing or does not fit the codes,
                strengths, until, target, mode and layers do not go together, or rows differ in their number of
                strengths.
        """
        if len(codes) != len(requests):
            raise SpecError(f"there are {len(codes)} codes and {len(requests)} requests: give one request for each row")
        if any(bool(request.strengths) == (request.until is not None) for request in requests):
            raise SpecError("give strengths or a score to reach (until): one of the two")
        if not len(requests):
            raise SpecError("there are no rows to edit")
        asked, which_N = distinct(requests)
        if len({len(request.strengths) for request in asked}) > 1:
            raise SpecError("rows that are edited together need equally many strengths, or all a score to reach")
        which_N = which_N.to(codes.values.device)
        directions = [self._direction(request) for request in asked]
        moves = torch.stack([self._move(direction, codes) for direction in directions])
        if not asked[0].strengths:
            return self._until(codes, requests, moves[which_N])
        if any(request.target != "1" for request in asked):
            raise SpecError("strengths carry their own sign: give negative ones, or a target together with until")
        strengths_DK = torch.tensor([request.strengths for request in asked], dtype=torch.float64)
        strengths_NK = strengths_DK.to(codes.values.device)[which_N]
        start_N, rate_N = self._start(codes, directions, moves, which_N)
        offsets_NK = (strengths_NK - start_N[:, None]) / rate_N[:, None]
        if self._source:
            strengths_NK, offsets_NK = _after(start_N, strengths_NK), _after(torch.zeros_like(start_N), offsets_NK)
        values = self._moved(codes.values, moves[which_N], offsets_NK, codes.space)
        return self._trace(codes.space, values, strengths_NK, {}, (DONE,) * len(codes))

    def _until(self, codes: Codes, requests: Sequence[EditRequest], move: Tensor) -> Trace:
        """move: (N, ...)."""
        scores, device, batch_size = self._scores, codes.values.device, self._search.batch_size or len(codes)
        if self._mode != "relative":
            raise SpecError("until finds its own strength: it goes with relative edits")
        if scores is None:
            raise SpecError("until needs scores: make the editor with `scores`")

        @torch.no_grad()
        def evaluate(rows_R: Tensor, strengths_R: Tensor) -> Mapping[str, Tensor]:
            rows_R, offsets_R1 = rows_R.to(device), strengths_R.to(device)[:, None]
            moved = self._moved(codes.values[rows_R], move[rows_R], offsets_R1, codes.space)
            slots_R = rows_R % batch_size
            found = scores(Codes(codes.space, moved[:, 0]).in_slots(slots_R, batch_size))
            return {name: score_B[slots_R.to(score_B.device)] for name, score_B in found.items()}

        finite = torch.isfinite(codes.values).flatten(1).all(dim=1).tolist()
        found = reach(evaluate, requests, finite, self._search)
        strengths_NK = found.strengths.to(device)[:, None]
        seen = {name: values[:, None].to(device) for name, values in found.scores.items()}
        if self._source:
            strengths_NK = _after(torch.zeros_like(strengths_NK[:, 0]), strengths_NK)
            seen = {name: _after(found.source[name].to(device), values) for name, values in seen.items()}
        values = self._moved(codes.values, move, strengths_NK, codes.space)
        return self._trace(codes.space, values, strengths_NK, seen, found.stops)

    def _trace(
        self, space: Space, values: Tensor, strengths_NK: Tensor, scores: Mapping[str, Tensor], stops: Sequence[str]
    ) -> Trace:
        """The trace. A step that is not finite is left out, and the others stand: they do not depend on it. Where the
        source or all steps are not finite, the row has none.
        """
        finite_NK = torch.isfinite(values).flatten(2).all(dim=2) & torch.isfinite(strengths_NK)
        if self._source:
            finite_NK = finite_NK & finite_NK[:, :1]
        moved_NK = finite_NK[:, 1:] if self._source else finite_NK
        sought_N = torch.tensor([stop != NOT_FINITE for stop in stops], device=values.device)
        finite_NK = finite_NK & moved_NK.any(dim=1, keepdim=True) & sought_N[:, None]
        stops = [stop if all(steps) else NOT_FINITE for stop, steps in zip(stops, finite_NK.tolist(), strict=True)]
        first = 0 if self._source else 1
        steps_NK = torch.arange(first, first + values.shape[1], device=values.device).repeat(len(stops), 1)
        steps_NK[~finite_NK] = -1
        return Trace(space, values, steps_NK, strengths_NK, scores, tuple(stops))

    def _direction(self, request: EditRequest) -> Direction:
        kind = request.kind
        if kind not in self._directions:
            known = "; ".join(direction.name for direction in self._directions.values()) or "none"
            raise SpecError(f"there is no direction of {request.name}, there are: {known}. Fit or condition it first")
        return self._directions[kind]

    def _move(self, direction: Direction, codes: Codes) -> Tensor:
        """What strength 1 adds to a row of codes: (...), float64."""
        move = _along(direction, codes)
        if self._layers is None:
            return move
        if codes.space != "w+":
            raise SpecError(f"layers are rows of w+, these codes are in {codes.space}: broadcast them to w+ first")
        if max(self._layers) >= len(move):
            raise SpecError(f"there is no layer {max(self._layers)}: these codes have the layers 0 to {len(move) - 1}")
        chosen = torch.zeros_like(move)
        chosen[list(self._layers)] = move[list(self._layers)]
        return chosen

    def _start(
        self, codes: Codes, directions: Sequence[Direction], moves: Tensor, which_N: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What strength each row has already, and how much an offset of 1 adds, (N,) each: relative 0 and 1."""
        starts, rates = torch.zeros_like(which_N, dtype=torch.float64), torch.ones_like(which_N, dtype=torch.float64)
        if self._mode == "relative" or (self._mode == "as-released" and codes.space == "w+"):
            return starts, rates
        for place, (direction, move) in enumerate(zip(directions, moves, strict=True)):
            slope = _slope(direction, codes)
            rate = 1.0 if self._mode == "as-released" else float((slope * move).sum())
            if rate < 1e-6:
                raise SpecError(f"the chosen layers have no part in the direction of {direction.name}")
            distance_N = (codes.values.double() * slope).flatten(1).sum(dim=1)
            intercept = 0.0 if self._mode == "as-released" else direction.intercept
            starts = torch.where(which_N == place, distance_N + intercept, starts)
            rates = torch.where(which_N == place, rate, rates)
        return starts, rates

    def _moved(self, values: Tensor, move: Tensor, offsets_NK: Tensor, space: Space) -> Tensor:
        """x + offset * move, truncated: (N, K, ...) in the dtype of `values` (N, ...). `move`: (N, ...)."""
        offsets = offsets_NK.view(*offsets_NK.shape, *[1] * (values.dim() - 1))
        moved = (values.double()[:, None] + offsets * move[:, None]).to(values.dtype)
        if self._truncation is None:
            return moved
        return self._truncation(Codes(space, moved.flatten(0, 1))).values.view(moved.shape)


def _along(direction: Direction, codes: Codes) -> Tensor:
    """What adds 1 to the distance of a row of codes: (...), float64."""
    return direction.along(Codes(codes.space, codes.values[:1].double()))


def _slope(direction: Direction, codes: Codes) -> Tensor:
    """distance(x) = <slope, x> + intercept: the vector, or an L-th of it in each layer that shares it; (...), float64.

    As a sum over each row, which gives the same bits beside any neighbours; a matrix product does not.
    """
    along = _along(direction, codes)
    return along * (direction.vector.size / along.numel())


def _after(first_N: Tensor, others_NK: Tensor) -> Tensor:
    return torch.cat([first_N[:, None], others_NK], dim=1)


def _checked(layers: Sequence[int] | None) -> tuple[int, ...] | None:
    if layers is None:
        return None
    if not layers or len(set(layers)) < len(layers) or min(layers) < 0:
        raise SpecError(f"layers are {list(layers)}: give one or more rows of w+, counted from 0, each once")
    return tuple(layers)
