"""What one of the methods compared made of the faces, and what it is compared by.

Shapes: N faces, P points with the source first.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pipeline.metrics.between_strengths import Change
from pipeline.metrics.over_rates import Method
from pipeline.metrics.swept import Swept
from pipeline.report.toggles import Toggles

KEPT, REACH = "kept", "reach"
LARGER = {KEPT: True, "identity_dlib": False, "identity": True, "perceptual": False, "mse_outside_landmarks": False,
          "mse_outside": False, REACH: True}  # fmt: skip
"""By number compared, whether a larger one is better."""
HEADINGS = {
    KEPT: "other attributes kept",
    "identity_dlib": "identity (distance, dlib)",
    "identity": "identity (cosine, fr-feature)",
    "perceptual": "perceptual distance",
    "mse_outside_landmarks": "MSE outside (landmarks)",
    "mse_outside": "MSE outside (parser)",
    REACH: "reach",
}
DIGITS = {"mse_outside_landmarks": 4, "mse_outside": 4}
WORST_FOR = ("identity_dlib", "identity"), ("mse_outside_landmarks", "mse_outside", "perceptual")
"""What tells a lost identity, and what a spill: the first number that an edit has."""


@dataclass(frozen=True)
class Cost:
    """Of an edit of one face in one attribute at all strengths, with scores by both families.

    seconds: of one worker. forward, backward: passes through the generator. bytes: the most memory of a worker.
    training: what was trained beforehand, in words.
    """

    seconds: float
    forward: int
    backward: int
    bytes: float
    training: str


@dataclass(frozen=True, eq=False)
class Result:
    """networks: that it learned from or optimises, in words. claims: of its paper, by the number that decides each.
    toggles, folders: by attribute; the folders of its edits, each both ways, with whether faces are to have it. usual:
    the point of the strength that its paper takes.
    """

    name: str
    networks: str
    claims: Mapping[str, str]
    toggles: Mapping[str, Toggles]
    folders: Mapping[str, Sequence[Sequence[tuple[str, bool]]]]
    usual: int
    cost: Cost

    @cached_property
    def numbers(self) -> tuple[str, ...]:
        """Those that it has, the reach left out."""
        measured = next(iter(self.toggles.values())).numbers
        return tuple(name for name in LARGER if name == KEPT or name in measured)

    def method(self, attribute: str, number: str) -> Method:
        """Its edits of an attribute, to be compared by a number."""
        its = self.toggles[attribute]

        def read(change: Change) -> Swept:
            changed = its.along(change)
            return changed.swept(changed.kept if number in (KEPT, REACH) else changed.number(number))

        return Method(read, its.faces)

    def first_reached(self, attribute: str) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """(N,) the first point at which the judge sees each face on its side, or else the last; and whether it does."""
        reached_NP = self.toggles[attribute].reached
        reached_N: NDArray[np.bool_] = np.any(reached_NP, axis=1)
        return np.where(reached_N, reached_NP.argmax(axis=1), reached_NP.shape[1] - 1), reached_N
