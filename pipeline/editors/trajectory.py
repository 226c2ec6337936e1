"""Rows that move step by step: where each one is, what was seen of it, and why it stopped.

Shapes: N rows, T steps with the source; `...` stands for the shape of one row of codes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from pipeline.editors.trace import NOT_FINITE, Trace
from pipeline.models.codes import Codes


class EditTrajectory:
    """N rows of codes that move step by step; those that have stopped stand still, and keep their slots."""

    def __init__(self, codes: Codes) -> None:
        self._space, self._values = codes.space, codes.values.detach().clone()
        self._places: list[Tensor] = [self._values]
        self._seen: list[Mapping[str, Tensor]] = []
        self._last = [-1] * len(codes)
        self._stops = [""] * len(codes)
        finite = torch.isfinite(codes.values).flatten(1).all(dim=1)
        self._values = torch.where(_shaped(finite, codes.values), self._values, 0.0)
        self.stop(~finite, [NOT_FINITE] * len(codes))

    @property
    def codes(self) -> Codes:
        """Where the rows are; zeros for those that are not finite."""
        return Codes(self._space, self._values)

    @property
    def seen(self) -> Mapping[str, Tensor]:
        """The scores of where the rows are, as they were last looked at."""
        return self._seen[-1]

    @property
    def going(self) -> list[bool]:
        """(N) which have not stopped."""
        return [not stop for stop in self._stops]

    def add_scores(self, scores: Mapping[str, Tensor], which: Sequence[bool]) -> None:
        """Keep the scores (N,) by name of where the rows are. One that is not finite stops its row.

        which: the rows that were looked at; what is there for the others means nothing.
        """
        self._seen.append({name: score.double() for name, score in scores.items()})
        for score in scores.values():
            which_N = torch.tensor(which, device=score.device)
            self.stop(which_N & ~torch.isfinite(score), [NOT_FINITE] * len(self._stops))

    def stop(self, which_N: Tensor, reasons: Sequence[str]) -> None:
        """Stop the rows of a mask that are still going, each with its reason, where they are."""
        for row, stopped in enumerate(which_N.tolist()):
            if stopped and not self._stops[row]:
                self._stops[row] = reasons[row]
                self._last[row] = -1 if reasons[row] == NOT_FINITE else len(self._places) - 1

    def move(self, by: Tensor) -> None:
        """Add (N, ...), float64, to the rows that are going."""
        going = torch.tensor(self.going, device=self._values.device)
        moved = (self._values.double() + by).to(self._values.dtype)
        finite = torch.isfinite(moved).flatten(1).all(dim=1)
        self._values = torch.where(_shaped(going & finite, moved), moved, self._values)
        self._places.append(self._values)
        self.stop(~finite, [NOT_FINITE] * len(self._stops))

    def trace(self, sides_N: Tensor, step_size: float) -> Trace:
        """Every step of every row. sides_N: the sign of the strengths."""
        steps_T = torch.arange(len(self._places))
        last_N = torch.tensor(self._last)
        steps_NT = torch.where(steps_T <= last_N[:, None], steps_T, -1).to(self._values.device)
        strengths_NT = steps_T.double() * step_size * sides_N.cpu()[:, None] + 0.0  # no minus zero
        return Trace(
            space=self._space,
            values=torch.stack(self._places, dim=1),
            steps=steps_NT,
            strengths=strengths_NT.to(self._values.device),
            scores=self._scores(),
            stops=tuple(self._stops),
        )

    def _scores(self) -> dict[str, Tensor]:
        """(N, T) by name; NaN for the steps of which nothing was seen."""
        names = dict.fromkeys(name for seen in self._seen for name in seen)
        nothing = torch.full((len(self._stops),), math.nan, dtype=torch.float64, device=self._values.device)
        padding: list[Mapping[str, Tensor]] = [{}] * (len(self._places) - len(self._seen))
        return {
            name: torch.stack([seen.get(name, nothing) for seen in [*self._seen, *padding]], dim=1) for name in names
        }


def _shaped(mask_N: Tensor, values: Tensor) -> Tensor:
    return mask_N.view(-1, *[1] * (values.dim() - 1))
