"""A study as Markdown: sentences, tables, and curves as tables, to be kept in a repository. Pictures are counted."""

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd

from pipeline.report.study_parts import Curves, Grid, Section, Strip, cell


def text(title: str, lead: str, sections: Sequence[Section], facts: Mapping[str, str]) -> str:
    """The whole file; equal arguments give equal text."""
    return (
        "\n\n".join([f"# {title}", *_facts(facts), lead, *(block for one in sections for block in _section(one))])
        + "\n"
    )


def _facts(facts: Mapping[str, str]) -> list[str]:
    return ["\n".join(f"- {name}: {_plain(value)}" for name, value in facts.items())] if facts else []


def _section(section: Section) -> Iterator[str]:
    yield f"## {section.heading}"
    yield from section.sentences
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
        yield f"On the page: {len(strips)} strips of pictures."


def _curves(curves: Curves) -> str:
    """A row for each x, a column for each line."""
    columns = {}
    for name, line in curves.lines.items():
        known = {"low", "high"} <= set(line.columns)
        points = {
            row["x"]: cell(float(row["y"]))
            + (f" ({cell(float(row['low']))} to {cell(float(row['high']))})" if known else "")
            for row in line.to_dict("records")
        }
        columns[name] = pd.Series(points, dtype=object)
    frame = pd.DataFrame(columns).sort_index().fillna("–")
    rows = ([cell(float(x)), *row] for x, row in zip(frame.index, frame.values, strict=True))
    return _table([curves.x, *map(str, frame.columns)], rows)


def _table(head: Sequence[str], rows: Iterator[Sequence[object]]) -> str:
    lines = [list(head), ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_plain(str(value)) for value in line) + " |" for line in lines)


def _plain(value: str) -> str:
    return value.replace("|", "\\|").replace("\n", " ")
