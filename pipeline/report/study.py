"""The page of a study: sections of sentences, tables, curves and strips of pictures, in one file that asks for nothing.

Every `stylemill reproduce` ends in one. What a number means, and what it was compared with, stands beside it.
"""

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources

import jinja2
import pandas as pd
from markupsafe import Markup

from pipeline.report import curves, wording
from pipeline.tables import store


@dataclass(frozen=True)
class Grid:
    """A table as it is to be read: texts and numbers, rows and columns by their names.

    `shaded`: cells are tinted by how far they are from `middle`, fully at a distance of `reach`. `digits`: decimals.
    """

    caption: str
    frame: pd.DataFrame
    shaded: bool = False
    middle: float = 0.0
    reach: float = 1.0
    digits: int = 2

    def tint(self, value: float) -> float:
        """How far a number is from the middle, in [-1, 1]."""
        return min(max((value - self.middle) / self.reach, -1.0), 1.0)


@dataclass(frozen=True)
class Curves:
    """Lines over a common axis: by name, a frame with the columns x, y, and low and high where there is an interval."""

    caption: str
    x: str
    y: str
    lines: Mapping[str, pd.DataFrame]


@dataclass(frozen=True)
class Strip:
    """Pictures in a row, encoded (WebP, JPEG, PNG), each with a few words below it."""

    caption: str
    pictures: Sequence[tuple[bytes, str]]


@dataclass(frozen=True)
class Section:
    """A heading, what is to be said in sentences, and what is to be seen."""

    heading: str
    sentences: Sequence[str] = ()
    parts: Sequence[Grid | Curves | Strip] = field(default_factory=tuple)


def write(url: str, title: str, lead: str, sections: Sequence[Section], facts: Mapping[str, str]) -> str:
    """Write the page to `url` and return it. Equal arguments give an equal page. Raises StoreError."""
    store.write_atomic(url, render(title, lead, sections, facts).encode())
    return url


def render(title: str, lead: str, sections: Sequence[Section], facts: Mapping[str, str]) -> str:
    """The whole HTML page; `facts` say where its numbers come from (command, digests, machine)."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("pipeline.report", ""),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"cell": cell, "uri": data_uri, "strength": lambda tint: round(100 * abs(tint))}
    environment.globals |= {"drawn": curves.draw, "zip": zip}
    environment.tests |= {
        name: lambda part, kind=kind: isinstance(part, kind)
        for name, kind in (("grid_part", Grid), ("curves_part", Curves))
    }
    styles = (resources.files("pipeline.report") / name for name in ("page.css", "study.css"))
    return environment.get_template("study.html.j2").render(
        title=title,
        lead=lead,
        sections=sections,
        facts=facts,
        style=Markup("\n".join(style.read_text() for style in styles)),
    )


def cell(value: object, digits: int = 2) -> str:
    """A cell in words: a fraction with two decimals, or as many as asked, a count with thousands apart, a dash for what
    is not there.
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, float):
        return wording.score(value, digits).removeprefix("+")
    return wording.count(value) if isinstance(value, int) else str(value)


def data_uri(picture: bytes) -> str:
    """The picture in the page itself."""
    kind = "webp" if picture[8:12] == b"WEBP" else "png" if picture.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"
