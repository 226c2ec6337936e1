"""What is wanted of an editor for one row; one type from the flags to the table of requests and back.

Shapes: N rows.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.errors import SpecError
from pipeline.stage_names import AND

Target = Literal["1", "0", "flip"]
TARGETS: tuple[Target, ...] = get_args(Target)
SIDES: Mapping[str, float] = {"1": 1.0, "0": -1.0, "flip": 0.0}
"""2y - 1; of flip it depends on the row."""


@dataclass(frozen=True)
class EditRequest:
    """What is to change in a row, how far, and what is to stay.

    attribute: what is to change. preserve: the attributes that are to stay (the paper's conditions), in any order.
    target: 1 towards the attribute, 0 away from it, flip to the other side of where the row is.
    strengths: how far, a step for each, with their sign; none where the editor finds its own.
    until: the score to reach, beyond the boundary on the target's side: score >= until for target 1, score <= -until
        for target 0. None where no score is asked for.
    options: further numbers of the editor, by name: lambda1 and lambda2 of IALS.

    Raises:
        SpecError: a number is not finite, the target is unknown, an attribute has no name, or one is both changed and
            preserved.
    """

    attribute: str
    preserve: tuple[str, ...] = ()
    target: Target = "1"
    strengths: tuple[float, ...] = ()
    until: float | None = None
    options: Mapping[str, float] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "preserve", tuple(self.preserve))
        object.__setattr__(self, "strengths", tuple(map(float, self.strengths)))
        options = {name: (number,) for name, number in self.options.items()}
        until = () if self.until is None else (self.until,)
        for name, numbers in {"strengths": self.strengths, "until": until, **options}.items():
            if not all(map(math.isfinite, numbers)):
                raise SpecError(f"{name} of {self.name} are not all finite: {', '.join(map(str, numbers))}")
        if self.target not in TARGETS:
            raise SpecError(f"unknown target {self.target!r}: choose one of {', '.join(TARGETS)}")
        if not all(self.attributes):
            raise SpecError(f"{self.attribute!r} has an attribute without a name: leave out the {AND} that is too many")
        if self.attribute in self.preserve:
            raise SpecError(f"{self.attribute} cannot both change and stay unchanged: take it out of what is preserved")

    @property
    def name(self) -> str:
        """As that of a direction: `old|eyeglasses,male`."""
        return f"{self.attribute}|{','.join(self.preserve)}" if self.preserve else self.attribute

    @property
    def attributes(self) -> tuple[str, ...]:
        """What is to change, where a request is for several."""
        return tuple(self.attribute.split(AND))

    @property
    def kind(self) -> tuple[str, tuple[str, ...]]:
        """What decides a projected direction: the attribute, and what is preserved, sorted."""
        return self.attribute, tuple(sorted(self.preserve))

    def strength(self, step: int, side: int) -> float:
        """Of a step, as it was asked for, of rows that go to this side; or the score until which they go."""
        if not self.strengths:
            return side * (self.until or 0.0) + 0.0  # no minus zero
        asked = self.strengths[min(step, len(self.strengths)) - 1]
        return side * asked if self.target == "flip" else asked

    def sides(self, strength_N: NDArray[np.floating]) -> NDArray[np.int64]:
        """Of rows that were moved as far as this: 1 up or -1 down, (N,). Of target flip, rows that did not move go up:
        rows that go up and rows that go down are groups of their own, since together their changes would cancel.
        """
        if self.target == "flip":
            return np.where(strength_N < 0, -1, 1)
        return np.full(len(strength_N), -1 if self.target == "0" else 1)


def distinct(requests: Sequence[EditRequest]) -> tuple[list[EditRequest], Tensor]:
    """The different ones, and which of them each row has: (N,) int64."""
    places: dict[EditRequest, int] = {}
    which = [places.setdefault(request, len(places)) for request in requests]
    return list(places), torch.tensor(which, dtype=torch.int64)
