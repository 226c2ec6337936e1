"""What an editor did to each row.

Shapes: N rows, K kept steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from pipeline.models.codes import Codes, Space

DONE = "done"
REACHED = "reached"
NOT_FINITE = "not finite"
NOT_REACHED = "not reached"
NO_STEP = -1


def not_reached(bound: str) -> str:
    """The stop of a row that is as far as it may go and whose score is not what was asked for. `bound`: `10`, ..."""
    return f"{NOT_REACHED} within {bound}"


@dataclass(frozen=True, eq=False)
class Trace:
    """The steps of N rows that were kept.

    space: of the codes.
    values: (N, K, ...) codes, in the dtype of the source.
    steps: (N, K) int64, the number of each kept step: 0 is the source. NO_STEP where a row has no step to put: it
        stopped before, or it was not finite; the values there mean nothing.
    strengths: (N, K) float64, how far along the direction, signed. Absolute edits: the distance from the boundary.
    scores: by attribute (N, K), as the editor saw them; NaN where it did not look.
    stops: (N) why each row stopped: DONE, REACHED, `not_reached(...)`, NOT_FINITE, or a reason of the editor in words
        that fit after a number of rows. NOT_FINITE is to be rejected.
    tables: what the editor keeps besides (`EditorConfig.keeps`), by table and column, (N, ...) each.
    """

    space: Space
    values: Tensor
    steps: Tensor
    strengths: Tensor
    scores: Mapping[str, Tensor]
    stops: tuple[str, ...]
    tables: Mapping[str, Mapping[str, Tensor]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.stops)

    @property
    def kept(self) -> Tensor:
        """(N, K) bool: where there is a step."""
        return self.steps >= 0

    def at(self, place: int) -> Codes:
        """The codes of all rows at one of the K kept steps."""
        return Codes(self.space, self.values[:, place])

    def places(self, kept: Sequence[int]) -> Tensor:
        """(N, K): the place of the step that each row has for each of K step numbers that rise, NO_STEP where there is
        none. A row that ends between two of them has its last step in the place of the later.
        """
        last_N1 = self.steps.max(dim=1, keepdim=True).values
        kept_K, before_K = (self.steps.new_tensor(numbers) for numbers in (kept, [NO_STEP, *kept[:-1]]))
        place_NK = torch.where(before_K < last_N1, torch.minimum(kept_K, last_N1), NO_STEP)
        there_NK = self.steps.gather(1, place_NK.clamp(min=0)) >= 0
        return torch.where(there_NK, place_NK, NO_STEP)
