"""What a number says that a metric measures of a face."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Number:
    """One of the numbers that a metric measures of a face.

    of_itself: what it is of a picture beside itself; NaN where that depends on the picture.
    better: whether a larger or a smaller one says that less has changed; none where it says neither.
    """

    of_itself: float
    better: Literal["larger", "smaller", "none"]
