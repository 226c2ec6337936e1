"""What an editor did to each row.

Shapes: N rows, K kept steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from pipeline.models.codes import Codes, Space

DONE = "done"
REACHED = "reached"
NOT_FINITE = "not finite"
NOT_REACHED = "not reached"


def not_reached(bound: str) -> str:
    """The stop of a row that is as far as it may go and whose score is not what was asked for. `bound`: `10`, ..."""
    return f"{NOT_REACHED} within {bound}"


@dataclass(frozen=True, eq=False)
class Trace:
    """The steps of N rows that were kept.

    space: of the codes.
    values: (N, K, ...) codes, in the dtype of the source.
    steps: (N, K) int64, the number of each kept step: 0 is the source. -1 where a row has no step to put: it stopped
        before, or it was not finite; the values there mean nothing.
    strengths: (N, K) float64, how far along the direction, signed. Absolute edits: the distance from the boundary.
    scores: by attribute (N, K), as the editor saw them; NaN where it did not look.
    stops: (N) why each row stopped: DONE, REACHED, `not_reached(...)` or NOT_FINITE. The last is to be set aside.
    """

    space: Space
    values: Tensor
    steps: Tensor
    strengths: Tensor
    scores: Mapping[str, Tensor]
    stops: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.stops)

    @property
    def kept(self) -> Tensor:
        """(N, K) bool: where there is a step."""
        return self.steps >= 0

    def at(self, place: int) -> Codes:
        """The codes of all rows at one of the K kept steps."""
        return Codes(self.space, self.values[:, place])
