"""`stylemill directions list`: which directions there are, and how they were fitted."""

import json
from collections.abc import Sequence
from typing import Any

import tyro
from pydantic import Field
from rich import box
from rich.table import Table as Grid

from jobs.directions.quality import Fitted, read_fits
from jobs.flags import Spec, parse
from jobs.show import show
from pipeline.tables import Table, store
from schemas.directions import ACCURACIES

COLUMNS = ("name", "space", "method", *ACCURACIES, "agreement", "rows", "C", "fraction")


class ListSpec(Spec):
    """Show the directions of a table by the names that choose them, with the accuracies and agreement of their fits.

    Example: stylemill directions list out/fit
    """

    VERB = "directions list"

    directory: tyro.conf.Positional[str] = Field(
        description="The directory of a job, or a table of directions: a path or any fsspec URL."
    )
    json_lines: bool = Field(False, description="One line of JSON for each direction, for a script.")


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    spec = parse(ListSpec, argv)
    inside = store.join(spec.directory, "directions")
    url = inside if Table(inside).manifest() is not None else spec.directory
    table = Table.open(url)
    table.require_sealed()
    fits = read_fits(url)
    if spec.json_lines:
        for fit in fits:
            print(json.dumps(_facts(fit), sort_keys=True))
    else:
        _show(url, fits)
    return 0


def _facts(fit: Fitted) -> dict[str, Any]:
    one = fit.direction
    return {
        "name": fit.name,
        "attribute": one.attribute,
        "conditions": list(one.conditions),
        "space": one.space,
        "shape": list(one.vector.shape),
        "method": one.method,
        "C": one.C,
        "fraction": one.fraction,
        "rows": one.rows,
        "accuracies": dict(one.accuracies),
        "agreement": fit.agreement,
        "intercept": one.intercept,
        "generator": one.generator,
        "classifier": one.classifier,
    }


def _show(url: str, fits: Sequence[Fitted]) -> None:
    grid = Grid(title=url, box=box.SIMPLE, title_justify="left")
    for name in COLUMNS:
        grid.add_column(name, justify="left" if name in ("name", "space", "method") else "right")
    for fit in fits:
        one = fit.direction
        shares = [f"{100 * one.accuracies[part]:.0f} %" if part in one.accuracies else "" for part in ACCURACIES]
        numbers = (_number(fit.agreement, ".2f"), _number(one.rows, ","), _number(one.C), _number(one.fraction))
        grid.add_row(fit.name, one.space, one.method, *shares, *numbers)
    show(grid)


def _number(value: float | None, form: str = "g") -> str:
    return "" if value is None else format(value, form)
