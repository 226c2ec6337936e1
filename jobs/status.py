"""`stylemill status DIR`: what is done, what runs, what failed, what was set aside. No model, no cluster."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import tyro
from pydantic import Field
from rich.console import Console
from rich.table import Table as Grid

from jobs.flags import Spec, parse
from pipeline.engine.books import Books, verbs
from pipeline.engine.lease import holder, is_live
from pipeline.engine.outcome import Outcome
from pipeline.errors import StoreError


class StatusSpec(Spec):
    """What the jobs of a directory have done so far.

    Example: stylemill status out/faces
    """

    out: tyro.conf.Positional[str] = Field(description="The directory that the jobs write to.")


def main(argv: Sequence[str]) -> int:
    """Print one block a job. 0 where every job is complete, else 1."""
    spec = parse(StatusSpec, "status", argv)
    found = verbs(spec.out)
    if not found:
        raise StoreError(f"{spec.out} holds no job: there is nothing below .stylemill/; check the path")
    console = Console()
    return max([_show(spec.out, verb, console) for verb in found])


def _show(out: str, verb: str, console: Console) -> int:
    books = Books(out, verb)
    stored, outcomes = books.spec(), books.outcomes()
    if stored is None:
        return 0
    shards = stored["shards"]
    done = [outcome for outcome in outcomes.values() if outcome.ok]
    failed = [outcome for outcome in outcomes.values() if not outcome.ok]
    grid = Grid.grid(padding=(0, 2))
    for name, text in _facts(books, stored, done, failed).items():
        grid.add_row(name, text)
    console.print(f"{verb}  fingerprint {stored['fingerprint'][:6]}", style="bold", highlight=False)
    console.print(grid, highlight=False)
    return 0 if len(done) == shards else 1


def _facts(books: Books, stored: dict[str, Any], done: list[Outcome], failed: list[Outcome]) -> dict[str, str]:
    reasons = Counter[str]()
    for outcome in done:
        reasons.update(outcome.rejects)
    size = sum(part.bytes for outcome in done for part in outcome.parts.values())
    lease = holder(books.lease_url)
    never = stored["shards"] - len(done) - len(failed)
    facts = {
        "shards": f"{len(done):,} of {stored['shards']:,} done, {len(failed):,} failed, {never:,} never finished",
        "rows": f"{stored['planned']:,} planned, {sum(reasons.values()):,} set aside",
        "size": f"{size / 1e6:,.1f} MB",
        "running": f"process {lease['pid']} on {lease['host']}" if lease and is_live(lease) else "nobody",
    }
    for reason, count in sorted(reasons.items()):
        facts[f"  {reason}"] = f"{count:,} rows"
    for outcome in failed[:5]:
        facts[f"  shard {outcome.shard}"] = f"failed after {outcome.attempts} attempts: {outcome.error}"
    summary = books.summary()
    if summary:
        facts["last run"] = f"exit code {summary['exit_code']}, {summary['rows_per_second']:.2f} rows/s"
    return facts
