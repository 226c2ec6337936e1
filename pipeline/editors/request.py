"""What is asked of an editor, row by row.

Shapes: N rows, K strengths.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from pipeline.errors import SpecError

Target = Literal["1", "0", "flip"]
TARGETS: tuple[Target, ...] = get_args(Target)
Kind = tuple[str, tuple[str, ...]]
"""An attribute and its conditions: what decides the direction."""


@dataclass(frozen=True, eq=False)
class Requests:
    """What is wanted for each of N rows. `Requests.same` makes N equal ones.

    attributes: (N) what is to change.
    conditions: (N) what is to stay, in any order.
    targets: (N) 1 towards the attribute, 0 away from it, flip to the other side of where the row is.
    strengths: (N, K) float64, how far; None where the editor finds its own, or counts its steps. They carry their sign.
    until: (N,) float64, the score to reach, beyond the boundary on the target's side: score >= until for target 1,
        score <= -until for target 0. None where no score is asked for.
    lambdas: (N, 2) float64, the share of the attribute-level direction in that of the attribute and in those of its
        conditions (IALS); None for editors without.

    Raises:
        SpecError: lengths differ, a number is not finite, a target is unknown, or an attribute is its own condition.
    """

    attributes: tuple[str, ...]
    conditions: tuple[tuple[str, ...], ...]
    targets: tuple[Target, ...]
    strengths: Tensor | None = None
    until: Tensor | None = None
    lambdas: Tensor | None = None

    def __post_init__(self) -> None:
        rows = len(self.attributes)
        shapes = {"strengths": (self.strengths, 2), "until": (self.until, 1), "lambdas": (self.lambdas, 2)}
        for name, (values, dimensions) in shapes.items():
            if values is None:
                continue
            if values.dim() != dimensions or len(values) != rows:
                raise SpecError(
                    f"{name} have the shape {tuple(values.shape)}: give {dimensions} dimensions, {rows} rows"
                )
            if not torch.isfinite(values).all():
                row = int(torch.nonzero(~torch.isfinite(values))[0, 0])
                raise SpecError(f"{name} of row {row} are not finite: {values[row].tolist()}")
        if self.lambdas is not None and self.lambdas.shape[1] != 2:
            raise SpecError(f"there are 2 lambdas to a row, not {self.lambdas.shape[1]}")
        if not len(self.conditions) == len(self.targets) == rows:
            found = f"{rows} attributes, {len(self.conditions)} conditions, {len(self.targets)} targets"
            raise SpecError(f"requests are by row, each of one length: {found}")
        for attribute, conditions in zip(self.attributes, self.conditions, strict=True):
            if attribute in conditions:
                raise SpecError(f"{attribute} is to change and to stay at once: take it out of the conditions")
        if unknown := [target for target in self.targets if target not in TARGETS]:
            raise SpecError(f"unknown target {unknown[0]!r}: choose one of {', '.join(TARGETS)}")

    @classmethod
    def same(
        cls,
        rows: int,
        attribute: str,
        strengths: Sequence[float] | None = None,
        conditions: Sequence[str] = (),
        target: Target = "1",
        until: float | None = None,
        lambdas: tuple[float, float] | None = None,
    ) -> Requests:
        """One request for all of N rows."""

        def repeated(values: float | Sequence[float] | None) -> Tensor | None:
            if values is None:
                return None
            one = torch.as_tensor(values, dtype=torch.float64)
            return one.expand(rows, *one.shape)

        return cls(
            attributes=(attribute,) * rows,
            conditions=(tuple(conditions),) * rows,
            targets=(target,) * rows,
            strengths=repeated(strengths),
            until=repeated(until),
            lambdas=repeated(lambdas),
        )

    def __len__(self) -> int:
        return len(self.attributes)

    def kinds(self) -> tuple[list[Kind], Tensor]:
        """The different pairs of attribute and (sorted) conditions, and which of them each row asks for: (N,) int64."""
        pairs = [(name, tuple(sorted(kept))) for name, kept in zip(self.attributes, self.conditions, strict=True)]
        kinds = list(dict.fromkeys(pairs))
        places = {kind: place for place, kind in enumerate(kinds)}
        return kinds, torch.tensor([places[pair] for pair in pairs], dtype=torch.int64)
