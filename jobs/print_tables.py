"""Print tables to standard output."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table as Grid

if TYPE_CHECKING:
    from pipeline.report import study

WIDEST = 10_000
"""Columns in which a table has room; its lines are as long as it needs."""


def show(grid: Grid) -> None:
    """Print a table whole: where the terminal is narrower, or there is none, its lines are longer; no number is cut."""
    Console(width=max(Console().width, WIDEST)).print(grid, highlight=False)


def show_part(part: study.Grid | str) -> None:
    """Print a table or a sentence of a page."""
    from pipeline.report.study import cell  # with pandas and Jinja, which not every verb that shows a table needs

    if isinstance(part, str):
        Console().print(part, highlight=False, markup=False, soft_wrap=True)
        return
    grid = Grid(title=part.caption, title_justify="left", box=SIMPLE, pad_edge=False)
    grid.add_column(str(part.frame.index.name or ""))
    for name in part.frame.columns:
        grid.add_column(str(name), justify="right", no_wrap=True)
    for name, values in zip(part.frame.index, part.frame.itertuples(index=False), strict=True):
        grid.add_row(str(name), *(cell(value, part.digits) for value in values))
    show(grid)
