"""Faces of a page: which picture of each method is shown at each place of the slider.

A slider goes from 0, the source, to 1, the last step of each method, and to -1 where a method has steps to the other
side: at a share, each method shows the step that is nearest to this share of its own steps.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pipeline.exports.format import Picture

METHOD = "method"
"""The fact of a picture that names its method."""
JUDGE = "judge_"
NO_SCORES = ("index", "table", "request", "step", "strength")
"""Facts that are numbers and no scores."""
OF_SOURCE = "source_"
_MINUS = "\N{MINUS SIGN}"


@dataclass(frozen=True)
class Step:
    """A picture of an edit, at a share of the steps of its method."""

    picture: Picture
    share: float

    @property
    def said(self) -> str:
        """Its strength."""
        strength = self.picture.facts.get("strength")
        return "strength not known" if strength is None else number(strength)


@dataclass(frozen=True)
class Line:
    """What a method does to a face: its steps, by rising share, without the source."""

    method: str
    steps: Sequence[Step]

    def shown(self, share: float) -> int:
        """Which step is the nearest, from 1; 0 is the source. Of two that are as near, the one nearer the source."""
        shares = [0.0, *(step.share for step in self.steps)]
        return min(range(len(shares)), key=lambda place: (abs(shares[place] - share), abs(shares[place])))


@dataclass(frozen=True)
class Face:
    """number: its index. source: its picture before any edit. away: whether its edits lead away from the attribute."""

    number: int
    source: Picture
    lines: Sequence[Line]
    away: bool

    @property
    def attribute(self) -> str:
        return str(self.source.facts.get("attribute", ""))

    @cached_property
    def shares(self) -> Sequence[float]:
        """The places of its slider, rising."""
        return sorted({0.0, *(step.share for line in self.lines for step in line.steps)})

    @property
    def pictures(self) -> Sequence[Picture]:
        """All that are shown: the source, and the steps, line by line."""
        return [self.source, *(step.picture for line in self.lines for step in line.steps)]

    def said(self, share: float) -> str:
        """What the methods show there, for those who do not see it."""
        words = []
        for line in self.lines:
            place = line.shown(share)
            words.append(f"{line.method} {line.steps[place - 1].said if place else 'source'}")
        return f"{percent(share)}: {', '.join(words)}"


def face_of(pictures: Sequence[Picture]) -> Face:
    """Of the pictures of one face, by all methods; the first that is of step 0 is the source."""
    source = next(picture for picture in pictures if picture.key[-1] == 0)
    by_method: dict[str, list[Picture]] = {}
    for picture in pictures:
        steps = by_method.setdefault(str(picture.facts[METHOD]), [])  # none where the face was left as it is
        if picture.key[-1] > 0:
            steps.append(picture)
    strengths = [_strength(picture) for steps in by_method.values() for picture in steps]
    away = max(strengths, default=0.0) <= 0 and min(strengths, default=0.0) < 0
    lines = [Line(method, _steps(steps, away)) for method, steps in by_method.items()]
    return Face(source.key[0], source, lines, away)


def scores(picture: Picture) -> list[tuple[str, str | None, str | None]]:
    """Of each attribute the score by the editing family and by the judge, in words; the edited attribute first. None
    where there is none.
    """
    facts = picture.facts
    names = [name for name, value in facts.items()
             if isinstance(value, float) and name not in NO_SCORES and not name.startswith(OF_SOURCE)]  # fmt: skip
    attributes = list(dict.fromkeys(name.removeprefix(JUDGE) for name in names))
    edited = str(facts.get("attribute", "")).split("+")
    attributes.sort(key=lambda name: name not in edited)
    return [(name, _score(facts, name), _score(facts, JUDGE + name)) for name in attributes]


def number(value: float) -> str:
    """`+1.24`, `−0.50`, `0.00`."""
    text = f"{value:+.2f}"
    return text[1:] if float(text) == 0 else text.replace("-", _MINUS)


def percent(share: float) -> str:
    """`60 %`; `source` of none."""
    return f"{100 * share:.0f} %".replace("-", _MINUS) if share else "source"


def _score(facts: Mapping[str, Any], name: str) -> str | None:
    value = facts.get(name)
    return None if value is None or not math.isfinite(value) else number(value)


def _strength(picture: Picture) -> float:
    return float(picture.facts.get("strength") or 0.0)


def _steps(pictures: Sequence[Picture], away: bool) -> list[Step]:
    """Those to either side, each at its share of the steps of that side."""
    sign = -1.0 if away else 1.0
    ordered = sorted(pictures, key=lambda picture: abs(_strength(picture)))
    found = []
    for side in (-1.0, 1.0):
        its = [picture for picture in ordered if (sign * _strength(picture) < 0) == (side < 0)]
        found += [Step(picture, side * (place + 1) / len(its)) for place, picture in enumerate(its)]
    return sorted(found, key=lambda step: step.share)
