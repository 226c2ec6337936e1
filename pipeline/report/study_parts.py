"""What a study is made of: sections of sentences, tables, curves and strips of pictures."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from pipeline.report import wording


@dataclass(frozen=True)
class Grid:
    """A table as it is to be read: texts and numbers, rows and columns by their names.

    `shaded`: cells are tinted by how far they are from `middle`, fully at a distance of `reach`. `digits`: decimals.
    `bold`: columns whose heading and cells are bold. `sortable`: a click on a heading sorts the rows.
    """

    caption: str
    frame: pd.DataFrame
    shaded: bool = False
    middle: float = 0.0
    reach: float = 1.0
    digits: int = 2
    bold: Collection[str] = ()
    sortable: bool = False

    def tint(self, value: float) -> float:
        """How far a number is from the middle, in [-1, 1]."""
        return min(max((value - self.middle) / self.reach, -1.0), 1.0)


@dataclass(frozen=True)
class Curves:
    """Lines over a common axis: by name, a frame with the columns x, y, and low and high where there is an interval.

    `bold`: lines whose name is bold in the legend.
    """

    caption: str
    x: str
    y: str
    lines: Mapping[str, pd.DataFrame]
    bold: Collection[str] = ()


@dataclass(frozen=True)
class Look:
    """One picture of a strip, encoded (WebP, JPEG, PNG) or None where it cannot be read, and what stands below it.

    words: what it is. scores: a line for each. bold: names of those of the edited attribute.
    """

    picture: bytes | None
    words: str
    scores: Mapping[str, str] = field(default_factory=dict)
    bold: Collection[str] = ()

    def __str__(self) -> str:
        return ", ".join([self.words, *(f"{name} {value}" for name, value in self.scores.items())])


@dataclass(frozen=True)
class Strip:
    """Pictures in a row; the source is on the left."""

    caption: str
    pictures: Sequence[Look]


@dataclass(frozen=True)
class Section:
    """A heading, what is to be said in sentences, and what is to be seen. commands: lines that can be pasted."""

    heading: str
    sentences: Sequence[str] = ()
    parts: Sequence[Grid | Curves | Strip] = field(default_factory=tuple)
    commands: Sequence[str] = ()


@dataclass(frozen=True)
class Top:
    """What stands below the title: a few facts in large letters, by name, and (`good` or `warning`, a sentence)."""

    headline: Mapping[str, str] = field(default_factory=dict)
    states: Sequence[tuple[str, str]] = ()


def percent(share: float) -> str:
    """A cell of a share in per cent; a dash for what is not there."""
    return f"{100 * share:.1f}" if math.isfinite(share) else cell(None)


def cell(value: object, digits: int = 2) -> str:
    """A cell in words: a fraction with two decimals, or as many as asked, a count with thousands apart, a dash for what
    is not there.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, float):
        return wording.score(value, digits).removeprefix("+")
    return wording.count(value) if isinstance(value, int) else str(value)
