"""Instance-specific directions: gradients of scores in the codes, each row its own attributes (IALS, Eq. 2 to 4).

One forward pass serves all attributes. Slot j of a backward pass takes the j-th attribute of each row, whichever that
is: so there are as many backward passes as the most attributes that any one row asks for.

Shapes: N rows, J slots; `...` stands for the shape of one row of codes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Literal, TypeVar, get_args

import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.directions.aliases import resolve
from pipeline.editors.editor import Scores
from pipeline.errors import SpecError
from pipeline.models.codes import Codes

Loss = Literal["score", "bce"]
Score = TypeVar("Score", float, Tensor, NDArray)
LOSSES: tuple[Loss, ...] = get_args(Loss)

Aim = tuple[str, float]
"""An attribute and the side aimed at: +1 where it is present, -1 where it is not (2y - 1), 0 for the side on which the
row is not: -1 where its score is positive, else +1."""


def score_gradients(
    scores: Scores,
    codes: Codes,
    wanted: Sequence[Sequence[Aim]],
    loss: Loss = "score",
    at_once: int | None = None,
    looked_at: Sequence[bool] | None = None,
) -> tuple[Mapping[str, Tensor], Tensor]:
    """The scores of N rows, and for each aim of a row minus the gradient of its loss: the way to go.

    loss, with y the side and s the score: `score` is -(2y - 1) s; `bce` is Eq. 3, the binary cross entropy of
    sigmoid(s) and y. Their gradients differ by the factor |y - sigmoid(s)|, which is positive and so gone once they
    are normalised: the directions are equal to rounding. They part where the factor is too small for the numbers that
    carry the gradient (bf16, or scores beyond 80): there bce vanishes and the score does not.

    Args:
        scores: generator and classifiers, differentiable in the codes. It is called once for all rows that go together.
        wanted: for each row its aims, none for one that is only scored.
        at_once: rows that go together; None for all. One at a time, a row comes out the same bits whatever N is.
        looked_at: (N) whose scores are wanted even without aims; None for all.

    Returns:
        The scores (N,) by attribute, without graph, NaN where not wanted; and the gradients (N, J, ...) in the dtype
        of the codes: zero where a row has fewer than J aims.

    Raises:
        SpecError: there is no score of an attribute, it does not depend on the codes, or the loss is unknown.
    """
    if loss not in LOSSES:
        raise SpecError(f"unknown loss {loss!r}: choose one of {', '.join(LOSSES)}")
    rows, slots = len(codes), max(map(len, wanted), default=0)
    gradients = codes.values.new_zeros(rows, slots, *codes.values.shape[1:])
    columns: dict[str, Tensor] = {}
    for first in range(0, rows, at_once or max(rows, 1)):
        some = slice(first, first + (at_once or rows))
        if any(wanted[some]):
            seen, found = _of_rows(scores, codes.select(some), wanted[some], loss)
            gradients[some, : found.shape[1]] = found
        elif looked_at is None or any(looked_at[some]):
            with torch.no_grad():
                seen = scores(codes.select(some))
        else:
            continue
        for name, score in seen.items():
            columns.setdefault(name, score.new_full((rows,), math.nan))[some] = score
    return columns, gradients


def _of_rows(
    scores: Scores, codes: Codes, wanted: Sequence[Sequence[Aim]], loss: Loss
) -> tuple[Mapping[str, Tensor], Tensor]:
    """`score_gradients` of rows that go together."""
    slots = max(map(len, wanted), default=0)
    values = codes.values.detach().requires_grad_()
    with torch.enable_grad():
        seen = scores(Codes(codes.space, values))
        losses = [_loss(seen, [row[slot : slot + 1] for row in wanted], loss) for slot in range(slots)]
    found = values.new_zeros(len(codes), slots, *values.shape[1:])
    for slot, of_slot in enumerate(losses):
        if not of_slot.requires_grad:
            names = ", ".join(sorted({row[slot][0] for row in wanted if len(row) > slot}))
            raise SpecError(f"the scores of {names} have no gradient: choose classifiers that can guide edits")
        (gradient,) = torch.autograd.grad(of_slot, values, retain_graph=slot + 1 < slots)
        found[:, slot] = -gradient
    return {name: score.detach() for name, score in seen.items()}, found


def score_of(attribute: str, scores: Mapping[str, Score]) -> Score:
    """The score of an attribute, of a row or of many, under its own name or with the sign of the name that it has here.

    Raises:
        SpecError: there is none.
    """
    if attribute in scores:
        return scores[attribute]
    known = resolve(attribute)
    if known is None or known[0] not in scores:
        raise SpecError(f"there is no score of {attribute}: there are {', '.join(scores)}")
    name, sign = known
    return sign * scores[name]


def _loss(scores: Mapping[str, Tensor], wanted: Sequence[Sequence[Aim]], loss: Loss) -> Tensor:
    """The sum over the rows of the loss of the one aim, or none, that each has in this slot."""
    total = next(iter(scores.values())).new_zeros(())
    for attribute in dict.fromkeys(name for row in wanted for name, _ in row):
        score_N = score_of(attribute, scores)
        aimed = [dict(row).get(attribute, math.nan) for row in wanted]
        side_N = torch.tensor(aimed, dtype=score_N.dtype, device=score_N.device)
        side_N = torch.where(side_N == 0, 1.0 - 2.0 * (score_N.detach() > 0), side_N).nan_to_num(nan=0.0)
        if loss == "score":
            total = total - (side_N * score_N).sum()
        else:
            total = total + (side_N.abs() * torch.nn.functional.softplus(-side_N * score_N)).sum()
    return total
