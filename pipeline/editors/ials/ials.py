"""IALS: instance-aware latent-space search (Han et al., 2021): Eq. 1 to 6, Algorithm 1, Sec. 3.3.

Shapes: N rows, T steps with the source, C conditions, D numbers of one row's direction; `...` stands for the shape of
one row of codes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from pipeline.editors.editor import Scores
from pipeline.editors.gradients import Aim, Loss, score_gradients, score_of
from pipeline.editors.ials.orthogonal import complement, row_norm
from pipeline.editors.ials.terms import VANISHED, Term
from pipeline.editors.request import SIDES, EditRequest
from pipeline.editors.trace import DONE, REACHED, Trace, not_reached
from pipeline.editors.trajectory import EditTrajectory
from pipeline.errors import SpecError
from pipeline.models.codes import Codes

if TYPE_CHECKING:
    from pipeline.directions.direction import Direction

LAMBDAS = ("lambda1", "lambda2")
"""Options of a request: the share of the attribute-level direction in that of the attribute, and of each condition."""


class IALS:
    """Moves each row by steps of one length along the direction that its own gradients and the attribute's make.

    With y the target (1 towards the attribute, 0 away from it), s_X(x) the score of X, d_X its attribute-level
    direction, k the step size, and |v| for v normalised:

        d_X(x)  = (2y - 1) |grad s_X(x)|                                  instance-specific, Eq. 4
        d^_X(x) = | lambda (2y - 1) |d_X| + (1 - lambda) d_X(x) |          Eq. 5
        d^_A|B  = | d^_A - its part in the span of the d^_B |              Eq. 6, for one condition or several
        x      <- x + k d^_A|B(x)                                          Sec. 3.3

    lambda is lambda1 for the attribute A that is edited, lambda2 for each condition B. A condition has y = 1 in both
    its parts: its sign is of no matter to a projection, but its parts may not cancel. Algorithm 1 leaves out the minus
    of Eq. 4 in its third line; Eq. 4 holds. No gradient is computed where lambda is 1; at lambda1 = lambda2 = 1 this
    is InterFaceGAN's conditional edit.

    In w+ one shared vector moves all layers alike, each by k, unless `per_layer`: then the direction is one of all
    L x W numbers, of norm 1, and k is the length of the whole step. Directions are combined in float64; gradients and
    codes are float32.

    Args:
        directions: the attribute-level ones, unconditioned, of the codes' space, one for each attribute whose lambda is
            not 0; with `as_released` one for each condition, whatever its lambda.
        scores: generator and classifiers, differentiable, called with `at_once` rows. What else it returns is kept in
            the trace: classifiers that judge the same faces.
        step_size: k. steps: how many, unless `until` ends a row before.
        loss: as in `gradients.score_gradients`.
        incremental: whether the direction is updated at each step (Sec. 3.3), or that of the source is kept.
        per_layer: in w+, whether each layer has a direction of its own.
        as_released: as the public code: where lambda2 is not 1, be it 0, the attribute-level direction of each
            condition is projected out besides.
        at_once: rows that share a pass through the networks; None for all. One at a time, a row comes out the same bits
            whatever N is and whoever is beside it. Together, its last bits depend on N, and from there ways along
            gradients part, further with each step.
        look: whether the scores of every step are wanted, the last included, also where no gradient needs them.

    Raises:
        SpecError: step_size or steps are not positive, or two directions are of one attribute.
    """

    def __init__(
        self,
        directions: Iterable[Direction],
        scores: Scores,
        step_size: float = 0.1,
        steps: int = 20,
        loss: Loss = "score",
        incremental: bool = True,
        per_layer: bool = False,
        as_released: bool = False,
        at_once: int | None = None,
        look: bool = False,
    ) -> None:
        if not (0 < step_size < float("inf") and steps >= 1):
            raise SpecError(f"{steps} steps of {step_size}: give one step or more, of a positive size")
        self._scores, self._step_size, self._steps, self._loss = scores, step_size, steps, loss
        self._incremental, self._per_layer, self._as_released = incremental, per_layer, as_released
        self._at_once, self._look = at_once, look
        self._directions: dict[str, Direction] = {}
        for direction in directions:
            if direction.conditions:
                raise SpecError(
                    f"{direction.name} is projected already: IALS projects by itself, give {direction.attribute}"
                )
            if direction.attribute in self._directions:
                raise SpecError(f"there are two directions of {direction.attribute}: give one of them")
            self._directions[direction.attribute] = direction

    def edit(self, codes: Codes, requests: Sequence[EditRequest]) -> Trace:
        """Move each row as its request says, and keep every step.

        Strengths of the trace are n k after n steps, negative where the target is 0. A row stops at its `until`, where
        its direction vanishes, or where it is not finite.

        Raises:
            SpecError: codes and requests differ in length, a request has strengths other than those of the steps or
                lacks a lambda, a direction that is needed is missing or does not fit, or the codes are in z.
        """
        self._check(codes, requests)
        trajectory = EditTrajectory(codes)
        sides_N = torch.tensor([SIDES[request.target] for request in requests], dtype=torch.float64)
        sides_N = sides_N.to(codes.values.device)
        flipped = (sides_N == 0).tolist()
        terms = self._terms(codes, requests, sides_N)
        aims = self._aims(terms)
        by: Tensor | None = None
        for step in range(self._steps + 1):
            fresh = step < self._steps and (by is None or self._incremental)
            wanted = [row if fresh and going else [] for row, going in zip(aims, trajectory.going, strict=True)]
            gradients = self._see(trajectory, wanted, requests, flipped if step == 0 else ())
            if step == 0 and any(flipped):
                sides_N = self._other_sides(trajectory, requests, sides_N)
                terms = self._terms(codes, requests, sides_N)
                aims = self._aims(terms)
            self._stop_where_reached(trajectory, requests, sides_N)
            if step == self._steps or not any(trajectory.going):
                break
            if fresh:
                by = self._step_size * self._unfold(self._direction(trajectory, terms, gradients), codes)
            assert by is not None
            if any(trajectory.going):
                trajectory.move(by)
        ends = [DONE if request.until is None else not_reached(f"{self._steps} steps") for request in requests]
        trajectory.stop(torch.ones(len(codes), dtype=torch.bool), ends)
        return trajectory.trace(sides_N, self._step_size)

    # -- one step -----------------------------------------------------------------------------------------------------

    def _see(
        self,
        trajectory: EditTrajectory,
        wanted: Sequence[Sequence[Aim]],
        requests: Sequence[EditRequest],
        flipped: Sequence[bool],
    ) -> Tensor | None:
        """Look at the rows as far as this step needs it; gradients (N, J, D) where a row has an aim. flipped: of which
        the side is to be seen, empty for none."""
        looked_at = [
            going and (self._look or request.until is not None or flip)
            for going, request, flip in zip(trajectory.going, requests, flipped or [False] * len(requests), strict=True)
        ]
        seen, gradients = score_gradients(self._scores, trajectory.codes, wanted, self._loss, self._at_once, looked_at)
        trajectory.add_scores(seen, [looked or bool(of_row) for looked, of_row in zip(looked_at, wanted, strict=True)])
        if not any(wanted):
            return None
        return torch.stack([self._fold(found) for found in gradients.unbind(dim=1)], dim=1).double()

    def _direction(self, trajectory: EditTrajectory, terms: Sequence[Term], gradients_NJD: Tensor | None) -> Tensor:
        """d^_A|B of each row, (N, D); rows that have none stop."""
        primal_ND, *others = [term.mixed(gradients_NJD, trajectory) for term in terms]
        if self._as_released:
            others += [term.level_where_mixed() for term in terms[1:]]
        left_ND = complement(primal_ND, others)
        norm_N1 = row_norm(left_ND)
        trajectory.stop(
            ~(norm_N1[:, 0] > VANISHED),
            [f"nothing of {name} is left beside its conditions" for name in terms[0].names],
        )
        return torch.where(norm_N1 > VANISHED, left_ND / norm_N1, 0.0)

    @staticmethod
    def _stop_where_reached(trajectory: EditTrajectory, requests: Sequence[EditRequest], sides_N: Tensor) -> None:
        aimed = [row for row, one in enumerate(requests) if one.until is not None and trajectory.going[row]]
        if not aimed:
            return
        seen = {name: score_N.tolist() for name, score_N in trajectory.seen.items()}
        sides, reached_N = sides_N.tolist(), torch.zeros(len(requests), dtype=torch.bool)
        for row in aimed:
            score = score_of(requests[row].attribute, {name: scores[row] for name, scores in seen.items()})
            reached_N[row] = sides[row] * score >= (requests[row].until or 0.0)
        trajectory.stop(reached_N, [REACHED] * len(requests))

    # -- what does not change from step to step -----------------------------------------------------------------------

    def _check(self, codes: Codes, requests: Sequence[EditRequest]) -> None:
        if len(codes) != len(requests):
            raise SpecError(f"there are {len(codes)} codes and {len(requests)} requests: give one request for each row")
        if not len(requests):
            raise SpecError("there are no rows to edit")
        for request in dict.fromkeys(requests):
            own = [(SIDES[request.target] or 1.0) * self._step_size * step for step in range(1, self._steps + 1)]
            if request.strengths and list(request.strengths) != own:
                raise SpecError("this editor takes steps of one size and no strengths: leave them out")
            if missing := [name for name in LAMBDAS if name not in request.options]:
                raise SpecError(f"this editor needs lambda1 and lambda2 of each row: give {missing[0]} in `options`")
            if unknown := [name for name in request.options if name not in LAMBDAS]:
                raise SpecError(f"unknown option {unknown[0]!r}: IALS knows {' and '.join(LAMBDAS)}")
            if not all(0 <= share <= 1 for share in request.options.values()):
                raise SpecError("lambda1 and lambda2 are shares: give numbers from 0 to 1")
        if codes.space == "z":
            raise SpecError("this editor moves codes in w, w+ and s, these are in z: map them first")
        if self._per_layer and codes.space != "w+":
            raise SpecError(f"directions of each layer are a matter of w+, these codes are in {codes.space}")

    @staticmethod
    def _other_sides(trajectory: EditTrajectory, requests: Sequence[EditRequest], sides_N: Tensor) -> Tensor:
        """2y - 1 of each row, (N,); where it is 0, for target flip, the side on which the row was seen not to be."""
        found_N = sides_N.clone()
        for row in torch.nonzero(sides_N == 0)[:, 0].tolist():
            there = float(score_of(requests[row].attribute, trajectory.seen)[row]) > 0 if trajectory.seen else False
            found_N[row] = -1.0 if there else 1.0
        return found_N

    @staticmethod
    def _aims(terms: Sequence[Term]) -> list[list[Aim]]:
        """Of each row, what its gradients are to follow."""
        rows = range(len(terms[0].names))
        return [[(term.names[row], term.sides[row]) for term in terms if term.followed[row]] for row in rows]

    def _terms(self, codes: Codes, requests: Sequence[EditRequest], sides_N: Tensor) -> list[Term]:
        """The primal, then each row's first condition, second, ..., in the order of their names. sides_N: 2y - 1 of the
        primal; 0 where that is not known yet."""
        lambdas_N2 = torch.tensor(
            [[request.options[name] for name in LAMBDAS] for request in requests], dtype=torch.float64
        ).to(codes.values.device)
        conditions = [sorted(request.preserve) for request in requests]
        places = range(max(map(len, conditions)))
        primals = [request.attribute for request in requests]
        names = [primals, *([row[i] if i < len(row) else "" for row in conditions] for i in places)]
        terms: list[Term] = []
        slots = [0] * len(requests)
        for place, of_place in enumerate(names):
            share_N = lambdas_N2[:, min(place, 1)]
            present = [bool(name) for name in of_place]
            followed = [there and share < 1 for there, share in zip(present, share_N.tolist(), strict=True)]
            side_N = sides_N if place == 0 else torch.ones_like(sides_N)
            beside = self._as_released and place > 0
            level_ND = self._levels(of_place, [share > 0 or beside for share in share_N.tolist()], codes)
            terms.append(
                Term(
                    names=tuple(of_place),
                    sides=tuple(side_N.tolist()),
                    followed=tuple(followed),
                    slots=tuple(slots),
                    level=side_N[:, None] * level_ND,
                    share=share_N[:, None],
                )
            )
            slots = [slot + aims for slot, aims in zip(slots, followed, strict=True)]
        return terms

    def _levels(self, attributes: Sequence[str], needed: Sequence[bool], codes: Codes) -> Tensor:
        """(N, D) float64, zero where a row has no attribute or needs no direction of it."""
        nothing_D = self._fold(torch.zeros_like(codes.values[:1], dtype=torch.float64))[0]
        wanted = [name if use else "" for name, use in zip(attributes, needed, strict=True)]
        known = {name: self._level(name, codes) for name in dict.fromkeys(wanted) if name}
        return torch.stack([known.get(name, nothing_D) for name in wanted])

    def _level(self, attribute: str, codes: Codes) -> Tensor:
        """The attribute-level direction as unit vector (D,), float64."""
        if attribute not in self._directions:
            known = ", ".join(self._directions) or "none"
            without = "do without as_released" if self._as_released else "give it lambda 0"
            raise SpecError(f"there is no direction of {attribute}, there are: {known}. Fit it, or {without}")
        direction = self._directions[attribute]
        along = direction.along(Codes(codes.space, codes.values[:1].double()))
        if codes.space == "w+" and not self._per_layer:
            if direction.vector.ndim > 1:
                raise SpecError(f"the direction of {attribute} differs from layer to layer: edit with `per_layer`")
            along = along[0]
        return along.flatten() / along.norm()

    def _fold(self, gradient: Tensor) -> Tensor:
        """(N, ...) -> (N, D): of one vector that all layers share, the gradients of the layers add up."""
        return gradient.sum(dim=1) if gradient.dim() == 3 and not self._per_layer else gradient.flatten(1)

    def _unfold(self, direction_ND: Tensor, codes: Codes) -> Tensor:
        """(N, D) -> (N, ...)."""
        if codes.space == "w+" and not self._per_layer:
            return direction_ND[:, None].expand(-1, codes.values.shape[1], -1)
        return direction_ND.view(codes.values.shape)
