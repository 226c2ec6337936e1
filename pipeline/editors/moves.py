"""Which directions an editor may move along."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.directions.sparse_svm import NORMAL
from pipeline.errors import SpecError

if TYPE_CHECKING:
    from pipeline.directions.direction import Direction


def check_move(direction: Direction) -> None:
    """Raise SpecError where this is the normal of a sparse hyperplane: it tells the sides apart, and a move along it
    goes astray."""
    if direction.method == NORMAL:
        raise SpecError(
            f"the direction of {direction.attribute} in {direction.space} is the normal of a sparse hyperplane, which "
            "is no move: give DIR/directions of that fit, not DIR/hyperplanes"
        )
