"""How long a step is to be, so that a share of the faces is transformed by the last."""

import math
from collections.abc import Iterable

SHARE = 0.9
"""Of the faces that are to be transformed when the last step is taken."""


def needed(rows: int) -> int:
    """How many of them are `SHARE` or more."""
    return math.ceil(SHARE * rows)


def reach(strengths_N: Iterable[float], bound: float) -> float:
    """The strength by which `SHARE` of the faces are transformed, at most `bound`.

    strengths_N: by which each is; infinite for a face that never was, which counts as one that needs more than others.
    """
    ordered = sorted(strengths_N)
    return min(float(ordered[needed(len(ordered)) - 1]), bound)


def length(reach: float, steps: int) -> float:
    """A length of four digits, not less than `reach` in so many steps."""
    shortest = float(f"{reach / steps:.4g}")
    if shortest * steps >= reach:
        return shortest
    return float(f"{shortest + 10 ** (math.floor(math.log10(shortest)) - 3):.4g}")
