"""What an attribute is. `attributes.py` lists those that there are."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from pipeline.models.classifiers.boundary import Boundary, Fixed
from pipeline.models.classifiers.networks import Networks
from pipeline.models.classifiers.parser import CLASSES
from pipeline.models.classifiers.regions import DILATION

Reader = Callable[[Tensor], Any]
"""A network with its crop: pictures (N, 3, H, W) in [-1, 1] -> what it sees in them."""

P_HALF = Fixed(0.0, "p = 0.5")
"""Of log-odds."""


def itself(seen: Tensor) -> Tensor:
    """The statistic of a reader that gives one number a picture."""
    return seen


@dataclass(frozen=True)
class Reading:
    """How a family sees an attribute.

    reader: opens the network. Readings that name the same reader share one pass of it.
    statistic: from what it sees to one number a picture, (N,): monotone in how strongly the attribute is present, and
        never saturating.
    boundary: where the score is 0.
    """

    reader: Callable[[Networks], Reader]
    statistic: Callable[[Any], Tensor] = itself
    boundary: Boundary = P_HALF


@dataclass(frozen=True)
class Attribute:
    """An attribute of faces, declared once.

    name: its column in every table.
    meaning: one plain sentence, for help and pages.
    readings: by family; a family that is not among them does not see it.
    region: classes of the face parser that an edit of it may change; none where an edit may change all of the picture.
    grown: pixels (of a picture of 512 px) to each side by which the region is grown.
    points: of the judge's 68 landmarks, those whose hull is that region; none where they do not show it.
    aliases: others' names for it; -1 where the score falls along a direction of that name.
    by_default: whether it is scored where no attributes are named.
    """

    name: str
    meaning: str
    readings: Mapping[str, Reading]
    region: tuple[str, ...] = ()
    grown: int = DILATION
    points: tuple[int, ...] = ()
    aliases: Mapping[str, int] = field(default_factory=dict)
    by_default: bool = False

    def __post_init__(self) -> None:
        if unknown := set(self.region) - set(CLASSES):
            raise ValueError(f"the region of {self.name} has no class {min(unknown)!r} of the face parser")


@dataclass(frozen=True)
class Measure:
    """A column of labels in a unit of its own.

    readings: by family, of a raw statistic of this name; none where `of` is set.
    of: the attribute whose raw statistic this is, counted from its boundary.
    """

    name: str
    meaning: str
    readings: Mapping[str, Reading] = field(default_factory=dict)
    of: str | None = None

    @property
    def statistic(self) -> str:
        return self.of or self.name
