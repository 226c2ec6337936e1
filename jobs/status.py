"""`stylemill status DIR`: what is done, what runs, what failed, what was rejected. No model, no cluster."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import tyro
from pydantic import Field
from rich.console import Console
from rich.table import Table as Grid

from jobs.flags import Spec, parse
from pipeline.engine.duration import duration
from pipeline.engine.job_records import verbs
from pipeline.engine.state import state_of
from pipeline.errors import StoreError

ERRORS_SHOWN = 5


class StatusSpec(Spec):
    """Show what the jobs of a directory have done so far.

    Example: stylemill status out/faces
    """

    VERB = "status"

    out: tyro.conf.Positional[str] = Field(description="Output directory of the jobs.")
    json_lines: bool = Field(False, description="One line of JSON for each job, for a script.")
    check: bool = Field(False, description="Exit with 1 if a job is not complete.")


def main(argv: Sequence[str]) -> int:
    """Print a block for each job. Returns 0, or with --check 1 unless every job is complete."""
    spec = parse(StatusSpec, argv)
    found = [state for verb in verbs(spec.out) if (state := state_of(spec.out, verb))]
    if not found:
        raise StoreError(f"{spec.out} holds no job: there is nothing below .stylemill/; check the path")
    for state in found:
        if spec.json_lines:
            print(json.dumps(state, sort_keys=True))
        else:
            _show(state)
    return int(spec.check and not all(state["complete"] for state in found))


def _show(state: dict[str, Any]) -> None:
    grid = Grid.grid(padding=(0, 2))
    for name, text in _lines(state):
        grid.add_row(name, text)
    console = Console()
    console.print(f"{state['verb']}  fingerprint {state['fingerprint'][:6]}", style="bold", highlight=False)
    console.print(grid, highlight=False)


def _lines(state: dict[str, Any]) -> Iterator[tuple[str, str]]:
    unit, never = state["unit"], state["shards"] - state["shards_done"] - state["shards_failed"]
    counts = f"{state['shards_failed']:,} failed, {never:,} never finished"
    yield (
        "shards" if unit == "rows" else "trainings",
        f"{state['shards_done']:,} of {state['shards']:,} done, {counts}",
    )
    for why, count in state["shards_to_make_again"].items():
        yield "  to make again", f"{count:,} {why}"
    for shard, error in list(state["errors"].items())[:ERRORS_SHOWN]:
        yield f"  shard {shard}", f"failed: {error}"
    if len(state["errors"]) > ERRORS_SHOWN:
        yield "", f"and {len(state['errors']) - ERRORS_SHOWN:,} more (--json-lines shows all)"
    yield unit, f"{state['planned']:,} planned" + (f", {state['rejected']:,} rejected" if unit == "rows" else "")
    for reason, count in state["rejects_by_reason"].items():
        yield f"  {reason}", f"{count:,} rows"
    yield "size", f"{state['bytes'] / 1e6:,.1f} MB"
    yield "sealed", "yes" if state["sealed"] else "no: the same command seals"
    if state["derived"]:
        yield "made of these", ", ".join(state["derived"])
    for sentence in state["lacking"]:
        yield "", f"{sentence}: the same command makes it"
    running = state["running"]
    yield "running", f"process {running['pid']} on {running['host']}, {running['why']}" if running else "nobody"
    if state["attempts"]:
        yield "attempts", ", ".join(f"{count:,} {end}" for end, count in state["attempts"].items())
    if last := state["last_run"]:
        took = f"{last['rows_per_second']:.2f} {unit}/s, {duration(last['seconds'])}"
        yield "last run", f"exit code {last['exit_code']}, {took}, {last['workers_lost']:,} workers lost"
