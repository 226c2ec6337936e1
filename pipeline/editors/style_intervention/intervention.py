"""Style Intervention: the move of a latent direction and that of a sparse one, merged channel by channel (Sec. 3.2).

Shapes: N rows, S style channels, K strengths, T layers, 3HW pixels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from pipeline.directions.aliases import plain
from pipeline.editors.editor import Faces
from pipeline.editors.gradients import score_of
from pipeline.editors.request import SIDES, EditRequest
from pipeline.editors.style_intervention.coefficients import kept
from pipeline.editors.style_intervention.displacements import Displacements
from pipeline.editors.style_intervention.losses import merged
from pipeline.editors.style_intervention.regions import grown, region_of
from pipeline.editors.style_intervention.solver import START, Problem, Settings, Solution, solve
from pipeline.editors.trace import DONE, NO_STEP, NOT_FINITE, REACHED, Trace
from pipeline.errors import SpecError
from pipeline.models.classifiers.regions import dilated, mask_of
from pipeline.models.codes import Codes

if TYPE_CHECKING:
    from pipeline.directions.direction import Direction

Mask = Literal["source", "union"]
MOST_PIXELS = 512
"""Of a side of the pictures in which pixels are compared."""
OPTIONS = ("move", "length")
"""Options of a request: as the flags of these names."""


class StyleIntervention:
    """Moves each row in s along ds_m = (1 - Lambda) ds_z + Lambda ds_n, with coefficients Lambda of its own.

    ds_z: the move along the attribute's direction in z, w or w+, as it comes out in s. ds_n: along its sparse direction
    in s, of the same length in standard deviations of the channels (times `length`).

    Args:
        faces: generator, face parser, and the classifiers that tell on which side a source is.
        directions: of each attribute one in z, w or w+, all in one space, and one in s.
        settings: of the solver.
        mask: the region in the source, or also in the picture moved by ds_z.
        dilation: pixels, in a picture of 512 px; as the attribute says where none are given.
        region: classes of the face parser; those of the attribute where none are given.
        always: also faces that are on the target's side already.
        after_layers: numbers of layers that rise; a step for each, with the coefficients as they were when so many
            layers had been solved for. The edit is the last step.
        shared: coefficients (S,) by attribute, for all faces; None to solve for each face's own.

    Raises:
        SpecError: two directions are of one attribute and kind, or one in s is the normal of a sparse hyperplane.
    """

    def __init__(
        self,
        faces: Faces,
        directions: Sequence[Direction],
        settings: Settings | None = None,
        *,
        mask: Mask = "source",
        dilation: int | None = None,
        region: Sequence[str] = (),
        always: bool = False,
        after_layers: Sequence[int] = (),
        shared: Mapping[str, Tensor] | None = None,
    ) -> None:
        self._faces, self._settings = faces, settings or Settings()
        self._mask, self._dilation, self._region, self._always = mask, dilation, tuple(region), always
        self._after, self._shared = tuple(after_layers), shared
        self._size = min(MOST_PIXELS, faces.generator.resolution)
        self._moves = Displacements(faces, directions)

    def edit(self, codes: Codes, requests: Sequence[EditRequest]) -> Trace:
        """Edit each row as its request says: a step for each strength k, at s + (1 - Lambda) ds_z + k Lambda ds_n.

        The trace is in s; where coefficients were solved for, with the table of them. A row ends at its source where it
        is on the target's side already (REACHED), where there is something to solve for and its face has no such
        region, or where one of its two directions changes no style.

        Raises:
            SpecError: codes and requests differ in length, rows differ in their number of strengths, the options are
                not `move` and `length`, or a direction or a region is missing.
        """
        steps = self._check(codes, requests)
        usable_N = torch.isfinite(codes.values).flatten(1).all(dim=1)
        codes = Codes(codes.space, torch.where(_shaped(usable_N, codes.values), codes.values, 0.0))
        with torch.no_grad():
            s_NS = self._faces.styles(codes)
            sides_N, seen = self._sides(s_NS, requests, usable_N)
            by_z_NS, by_n_NS = self._moves.of(codes, s_NS, requests, sides_N)
        stops = ["" if usable else NOT_FINITE for usable in usable_N.tolist()]
        self._stop_before_solving(stops, requests, sides_N, seen, by_z_NS, by_n_NS)
        values = s_NS[:, None].repeat(1, steps + 1, 1)
        coefficients_NS = torch.zeros_like(s_NS)
        errors: dict[int, Tensor] = {}
        if self._shared is None:
            for first in range(0, len(codes), most := self._faces.at_once or len(codes)):
                rows = range(first, min(first + most, len(codes)))
                for row, solution in self._solve(rows, requests, stops, s_NS, by_z_NS, by_n_NS):
                    coefficients_NS[row], errors[row] = solution.coefficients[0], solution.errors[0]
        else:
            coefficients_NS = torch.stack([self._shared[request.attribute] for request in requests]).to(s_NS)
        for row in (row for row, stop in enumerate(stops) if not stop):
            values[row, 1:] = self._steps(s_NS[row], coefficients_NS[row], by_z_NS[row], by_n_NS[row], requests[row])
            finite = torch.isfinite(values[row]).all() and (row not in errors or torch.isfinite(errors[row]).all())
            stops[row] = DONE if finite else NOT_FINITE
        tables = {} if self._shared else kept(coefficients_NS, self._errors(s_NS, errors))
        return self._trace(values, stops, requests, sides_N, tables)

    # -- what is known before anything is solved -----------------------------------------------------------------------

    def _check(self, codes: Codes, requests: Sequence[EditRequest]) -> int:
        """How many strengths every request has."""
        if len(codes) != len(requests):
            raise SpecError(f"there are {len(codes)} codes and {len(requests)} requests: give one request for each row")
        if not len(requests):
            raise SpecError("there are no rows to edit")
        if len(numbers := {len(request.strengths) for request in requests}) > 1 or 0 in numbers:
            raise SpecError("rows that are edited together need equally many strengths, at least one")
        for request in dict.fromkeys(requests):
            if self._shared is None:
                region_of(request.attribute, self._region)
            elif request.attribute not in self._shared:
                raise SpecError(f"there are no shared coefficients of {request.attribute}: give them, or none at all")
            if self._after and len(request.strengths) != len(self._after) + 1:
                raise SpecError("with after_layers, a request has a strength for each of them and one for the edit")
            if set(request.options) != set(OPTIONS):
                raise SpecError("style-intervention needs the numbers move and length of each row, and no others: give "
                                "both in `options`")  # fmt: skip
            self._moves.check(request.attribute)
        return numbers.pop()

    def _sides(
        self, s_NS: Tensor, requests: Sequence[EditRequest], usable_N: Tensor
    ) -> tuple[list[float], list[float | None]]:
        """The sign of each edit (2y - 1 in the paper), and the score of its source where it is looked at."""
        asked = [SIDES[request.target] for request in requests]
        if self._always and all(asked):
            return asked, [None] * len(asked)
        columns = self._faces(Codes("s", s_NS), sorted({plain(request.attribute) for request in requests}))
        scores = [
            float(score_of(request.attribute, {name: float(column[row]) for name, column in columns.items()}))
            for row, request in enumerate(requests)
        ]
        sides = [side or (-1.0 if score > 0 else 1.0) for side, score in zip(asked, scores, strict=True)]
        return sides, list(scores)

    def _stop_before_solving(
        self,
        stops: list[str],
        requests: Sequence[EditRequest],
        sides: Sequence[float],
        scores: Sequence[float | None],
        by_z_NS: Tensor,
        by_n_NS: Tensor,
    ) -> None:
        finite = (torch.isfinite(by_z_NS) & torch.isfinite(by_n_NS)).all(dim=1).tolist()
        still = ((by_z_NS == 0).all(dim=1) | (by_n_NS == 0).all(dim=1)).tolist()
        for row, request in enumerate(requests):
            score = scores[row]
            if stops[row]:
                continue
            if score is not None and math.isnan(score):
                stops[row] = NOT_FINITE
            elif not self._always and request.target != "flip" and score is not None and sides[row] * score > 0:
                stops[row] = REACHED
            elif still[row]:
                stops[row] = f"the direction of {request.attribute} moves no style"
            elif not finite[row]:
                stops[row] = NOT_FINITE

    # -- solving -------------------------------------------------------------------------------------------------------

    def _solve(
        self,
        rows: range,
        requests: Sequence[EditRequest],
        stops: list[str],
        s_NS: Tensor,
        by_z_NS: Tensor,
        by_n_NS: Tensor,
    ) -> list[tuple[int, Solution]]:
        """The solutions of those rows of a batch that have not stopped; a row whose face has no such region stops.

        Rows that have stopped stay in the batch as padding, so that it keeps its shape and other rows their bits.
        """
        some = slice(rows.start, rows.stop)
        if all(stops[some]):
            return []
        generator, regions = self._faces.generator, [region_of(requests[row].attribute, self._region) for row in rows]
        s, by_z, by_n = s_NS[some], _zero_where(stops[some], by_z_NS[some]), _zero_where(stops[some], by_n_NS[some])
        s = torch.where(torch.isfinite(s), s, 0.0)
        with torch.no_grad():
            source = generator.synthesize(Codes("s", s), self._size)
            mask = _masks_of(self._faces.masks(source), regions)
            if self._mask == "union":
                moved = generator.synthesize(Codes("s", s + by_z), self._size)
                mask |= _masks_of(self._faces.masks(moved), regions)
        for row, found in zip(rows, mask.flatten(1).any(dim=1).tolist(), strict=True):
            if not found and not stops[row]:
                stops[row] = f"the face parser finds no region of {requests[row].attribute}"
        going = [not stop for stop in stops[some]]
        if not any(going):
            return []
        pixels = [grown(requests[row].attribute, self._dilation) for row in rows]
        mask = torch.cat([dilated(mask[i : i + 1], most) for i, most in enumerate(pixels)])
        outside = (~mask).to(source)
        by_z, by_n = _zero_where(stops[some], by_z), _zero_where(stops[some], by_n)
        problem = Problem(s, by_z, by_n, self._moves.spread(s), source, outside, tuple(going))
        solution = solve(generator, problem, self._settings)
        return [
            (row, Solution(solution.coefficients[i : i + 1], solution.errors[i : i + 1]))
            for i, row in enumerate(rows)
            if going[i]
        ]

    def _steps(
        self, s_S: Tensor, coefficients_S: Tensor, by_z_S: Tensor, by_n_S: Tensor, request: EditRequest
    ) -> Tensor:
        """(K, S): the edit, with k times ds_n in place of ds_n; or the codes after some layers, and the edit."""
        side = SIDES[request.target] or 1.0  # strengths of target 0 are negative, and ds_n is turned already
        strengths_K1 = torch.tensor([[side * strength] for strength in request.strengths]).to(s_S)
        if self._after:
            widths = [layer.width for layer in self._faces.generator.style_layers]
            layers = torch.tensor([*self._after, len(widths)], device=s_S.device)
            layer_S = torch.arange(len(widths)).repeat_interleave(torch.tensor(widths)).to(s_S.device)
            coefficients_S = torch.where(layer_S < layers[:, None], coefficients_S, START)
        return s_S + merged(coefficients_S, by_z_S, strengths_K1 * by_n_S)

    def _errors(self, s_NS: Tensor, errors: Mapping[int, Tensor]) -> list[Tensor]:
        """The errors of each row, NaN for those that were not solved for."""
        groups = 1 + (1 if self._settings.at_once else len(self._faces.generator.style_layers))
        return [errors.get(row, s_NS.new_full((groups,), torch.nan)) for row in range(len(s_NS))]

    def _trace(
        self,
        values: Tensor,
        stops: Sequence[str],
        requests: Sequence[EditRequest],
        sides: Sequence[float],
        tables: Mapping[str, Mapping[str, Tensor]],
    ) -> Trace:
        steps_K = torch.arange(values.shape[1])
        last_N1 = torch.tensor([[self._last(stop, values.shape[1] - 1)] for stop in stops])
        asked = [
            [0.0, *((side * k if request.target == "flip" else k) + 0.0 for k in request.strengths)]
            for request, side in zip(requests, sides, strict=True)
        ]
        return Trace(
            space="s",
            values=values,
            steps=torch.where(steps_K <= last_N1, steps_K, NO_STEP).to(values.device),
            strengths=torch.tensor(asked, dtype=torch.float64, device=values.device),
            scores={},
            stops=tuple(stops),
            tables=tables,
        )

    @staticmethod
    def _last(stop: str, steps: int) -> int:
        """The last step of a row that ended so."""
        return {DONE: steps, NOT_FINITE: -1}.get(stop, 0)


def _zero_where(stops: Sequence[str], by_NS: Tensor) -> Tensor:
    """Zeros in the rows that have stopped."""
    stopped_N1 = torch.tensor([[bool(stop)] for stop in stops], device=by_NS.device)
    return torch.where(stopped_N1, 0.0, by_NS)


def _masks_of(masks_N19HW: Tensor, regions: Sequence[Sequence[str]]) -> Tensor:
    """(N, 1, H, W) bool: of each row its own region."""
    return torch.cat([mask_of(masks_N19HW[row : row + 1], region) for row, region in enumerate(regions)])


def _shaped(mask_N: Tensor, values: Tensor) -> Tensor:
    return mask_N.view(-1, *[1] * (values.dim() - 1))
