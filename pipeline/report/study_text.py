"""A study as Markdown: sentences, tables, and curves as tables, to be kept in a repository. Pictures are counted."""

from collections.abc import Hashable, Iterator, Mapping, Sequence
from typing import Any

from pipeline.report.study_parts import Curves, Grid, Section, Strip, Top, cell


def text(title: str, lead: str, sections: Sequence[Section], facts: Mapping[str, str], top: Top) -> str:
    """The whole file; equal arguments give equal text."""
    states = [f"{sentence}." for _, sentence in top.states]
    blocks = [block for one in sections for block in _section(one)]
    return "\n\n".join([f"# {title}", *_facts({**top.headline, **facts}), lead, *states, *blocks]) + "\n"


def _facts(facts: Mapping[str, str]) -> list[str]:
    return ["\n".join(f"- {name}: {_plain(value)}" for name, value in facts.items())] if facts else []


def _section(section: Section) -> Iterator[str]:
    yield f"## {section.heading}"
    yield from section.sentences
    if section.commands:
        yield "\n".join(["```sh", *section.commands, "```"])
    strips = [part for part in section.parts if isinstance(part, Strip)]
    for part in section.parts:
        if isinstance(part, Grid):
            frame = part.frame.map(lambda value, digits=part.digits: cell(value, digits))
            yield part.caption
            yield _table(
                ["", *map(str, frame.columns)],
                ([str(name), *row] for name, row in zip(frame.index, frame.values, strict=True)),
            )
        elif isinstance(part, Curves):
            yield f"{part.caption} ({part.y} at each {part.x})"
            yield _curves(part)
    if strips:
        yield f"On the page: {len(strips)} strip{'s' if len(strips) > 1 else ''} of pictures."


def _curves(curves: Curves) -> str:
    """A row for each x, a column for each line; where a line has several points at one x, all of them."""
    cells: dict[float, dict[str, str]] = {}
    for name, line in curves.lines.items():
        for row in line.to_dict("records"):
            x = float(f"{row['x']:.5g}")  # two lines' points meet, whatever the last digit
            said = cell(float(row["y"])) + _interval(row)
            at_x = cells.setdefault(x, {})
            at_x[name] = f"{at_x[name]}; {said}" if name in at_x else said
    rows = ([f"{x:g}", *(cells[x].get(name, cell(None)) for name in curves.lines)] for x in sorted(cells))
    return _table([curves.x, *curves.lines], rows)


def _interval(row: Mapping[Hashable, Any]) -> str:
    return f" ({cell(float(row['low']))} to {cell(float(row['high']))})" if {"low", "high"} <= row.keys() else ""


def _table(head: Sequence[str], rows: Iterator[Sequence[object]]) -> str:
    lines = [list(head), ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_plain(str(value)) for value in line) + " |" for line in lines)


def _plain(value: str) -> str:
    return value.replace("|", "\\|").replace("\n", " ")
