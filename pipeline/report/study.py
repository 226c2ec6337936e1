"""The page of a study: sections of sentences, tables, curves and strips of pictures, in one self-contained file.

Every `stylemill reproduce` ends in one. What a number means, and what it was compared with, stands beside it.
"""

import base64
import functools
from collections.abc import Mapping, Sequence

import jinja2
from markupsafe import Markup

from pipeline import pages
from pipeline.report import curves
from pipeline.report.study_parts import Curves, Grid, Look, Section, Strip, Top, cell, percent
from pipeline.report.study_text import text
from pipeline.tables import store

__all__ = ["Curves", "Grid", "Look", "Section", "Strip", "Top", "cell", "percent", "render", "write"]


def write(
    url: str, title: str, lead: str, sections: Sequence[Section], facts: Mapping[str, str], top: Top | None = None
) -> str:
    """Write the page to `url` and return it, and its numbers as Markdown beside it. Raises StoreError.

    Equal arguments give equal files.
    """
    top = top or Top()
    pages = {
        url.removesuffix(".html") + ".md": text(title, lead, sections, facts, top),
        url: render(title, lead, sections, facts, top),
    }
    for place, page in pages.items():
        store.write_atomic(place, page.encode(errors="backslashreplace"))
    return url


def render(title: str, lead: str, sections: Sequence[Section], facts: Mapping[str, str], top: Top | None = None) -> str:
    """The whole HTML page; `facts` say where its numbers come from (command, digests, machine)."""
    sorts = any(isinstance(part, Grid) and part.sortable for one in sections for part in one.parts)
    script = pages.text_of("pipeline.report", "sort.js") if sorts else ""
    return _template().render(
        title=title,
        lead=lead,
        top=top or Top(),
        sections=sections,
        facts=facts,
        script=Markup(script),
        script_hash=pages.hash_of(script),
        style=pages.styles("pipeline.report", "study.css"),
    )


@functools.cache
def _template() -> jinja2.Template:
    """Compiled once in a process."""
    environment = pages.environment("pipeline.report")
    environment.filters |= {"cell": cell, "uri": data_uri, "strength": lambda tint: round(100 * abs(tint))}
    environment.globals |= {"drawn": curves.draw, "zip": zip}
    environment.tests |= {
        name: lambda part, kind=kind: isinstance(part, kind)
        for name, kind in (("grid_part", Grid), ("curves_part", Curves))
    }
    return environment.get_template("study.html.j2")


def data_uri(picture: bytes) -> str:
    """The picture in the page itself."""
    kind = "webp" if picture[8:12] == b"WEBP" else "png" if picture.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"
