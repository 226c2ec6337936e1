"""The page itself: what was gathered, the chosen faces and the figures, through one template into one file.

The file asks the network for nothing, and its own content security policy forbids it to.
"""

import functools
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jinja2
from markupsafe import Markup

from pipeline import pages
from pipeline.report import figures, provenance, sheets, wording
from pipeline.report.gather import Gathered

RANDOM_FACES = 24
STRIP_FACES = 9
NAMES_IN_CAPTION = 3


@dataclass(frozen=True)
class Attribute:
    """One attribute's section: its figure, its numbers, and the faces along its scale."""

    name: str
    meaning: str
    """A sentence; empty where none was recorded."""
    histogram: Markup
    finite: int
    above: int
    mean: float
    deviation: float
    strips: sheets.Strips


@dataclass(frozen=True)
class Choice:
    """Every face of the page, chosen before any picture is read."""

    random: tuple[int, ...]
    strips: Mapping[str, sheets.Strips]

    def uses(self) -> Counter[int]:
        """How often the page shows each index."""
        strips = [strip for s in self.strips.values() for strip in (s.lowest, s.nearest, s.highest)]
        return Counter(index for strip in (self.random, *strips) for index in strip)


def choose(gathered: Gathered, seed: int, shown: int = RANDOM_FACES) -> Choice:
    """Choose the faces of the page. `seed` and `shown`, how many, move the random sheet alone."""
    return Choice(
        sheets.at_random(gathered.labels.index.to_numpy(), shown, seed),
        {name: sheets.along(gathered.labels[name], STRIP_FACES) for name in gathered.attributes},
    )


def render(gathered: Gathered, choice: Choice, thumbnails: Mapping[int, str], title: str | None = None) -> str:
    """The whole HTML page.

    Args:
        thumbnails: data URI by index; a face without one is shown as its number.
        title: heading of the page, the folder's name by default.
    """
    script = pages.text_of("pipeline.report", "page.js")
    return _template().render(
        title=title or gathered.name or "stylemill",
        style=pages.styles("pipeline.report"),
        script=Markup(script),
        script_hash=pages.hash_of(script),
        gathered=gathered,
        choice=choice,
        faces=_Faces(gathered, thumbnails),
        attributes=[_attribute(gathered, name, choice.strips[name]) for name in gathered.attributes],
        measures=[
            (
                name,
                gathered.meanings.get(name, ""),
                figures.histogram(gathered.labels[name].to_numpy(), wording.plain(name), boundary=False),
            )
            for name in gathered.measures
        ],
        correlations=figures.correlations(gathered.labels[[*gathered.attributes, *gathered.measures]]),
        states=provenance.states(gathered),
        origin=provenance.origin(gathered),
        headline=provenance.headline(gathered),
        runs=[(run, provenance.facts(run), _raw(run.spec), _raw(run.summary)) for run in gathered.runs],
        weights=provenance.weights(gathered),
        share=wording.share,
    )


@functools.cache
def _template() -> jinja2.Template:
    """Compiled once in a process."""
    environment = pages.environment("pipeline.report")
    environment.filters |= {
        "anything": wording.anything,
        "count": wording.count,
        "plain": wording.plain,
        "score": wording.score,
    }
    return environment.get_template("page.html.j2")


def _attribute(gathered: Gathered, name: str, strips: sheets.Strips) -> Attribute:
    score_N = gathered.labels[name]
    finite_N = score_N[score_N.abs() < float("inf")]
    return Attribute(
        name=name,
        meaning=gathered.meanings.get(name, ""),
        histogram=figures.histogram(score_N.to_numpy(), name, boundary=True),
        finite=len(finite_N),
        above=int((finite_N > 0).sum()),
        mean=float(finite_N.mean()),
        deviation=float(finite_N.std()),
        strips=strips,
    )


class _Faces:
    """What the template shows of one face."""

    def __init__(self, gathered: Gathered, thumbnails: Mapping[int, str]) -> None:
        self._labels, self._attributes, self._measures = gathered.labels, gathered.attributes, gathered.measures
        self._thumbnails = thumbnails
        self._rows: dict[int, dict[str, float]] = {}

    def picture(self, index: int) -> str | None:
        return self._thumbnails.get(index)

    def facts(self, index: int) -> list[tuple[str, str]]:
        """Every label of the face, in words."""
        row = self._row(index)
        scores = [(name, wording.score(row[name])) for name in self._attributes]
        return scores + [(wording.plain(name), wording.measure(row[name], name)) for name in self._measures]

    def score(self, index: int, name: str) -> str:
        return wording.score(self._row(index)[name])

    def present(self, index: int) -> str:
        """The attributes whose score is above 0; the strongest few where there are many."""
        row = self._row(index)
        above = [name for name in self._attributes if row[name] > 0]
        kept = sorted(sorted(above, key=lambda name: -row[name])[:NAMES_IN_CAPTION], key=above.index)
        return ", ".join(kept) + (f", +{len(above) - len(kept)}" if len(above) > len(kept) else "")

    def _row(self, index: int) -> dict[str, float]:
        if index not in self._rows:
            values = self._labels.loc[[index]].to_numpy()[0].tolist()
            self._rows[index] = dict(zip(self._labels.columns, values, strict=True))
        return self._rows[index]


def _raw(document: Mapping[str, Any]) -> str:
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) if document else ""
