"""`stylemill directions list`: which directions there are, and how they were fitted."""

import json
from collections.abc import Sequence
from dataclasses import asdict

import tyro
from pydantic import Field

from jobs.flags import Spec, parse
from jobs.locations import absolute
from jobs.print_tables import show_part
from pipeline.report import study
from pipeline.report.direction_list import frame_of, listed
from pipeline.stages.source import open_tables
from pipeline.tables import Table, store


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
    directory = absolute(spec.directory)
    inside = store.join(directory, "directions")
    [table] = open_tables([inside if Table(inside).manifest() is not None else directory], "directions")
    found = listed(table.url)
    if spec.json_lines:
        for one in found:
            print(json.dumps(asdict(one), sort_keys=True))
    else:
        show_part(study.Grid(table.url, frame_of(found)))
    return 0
