"""`stylemill edit`: latents moved along directions, with the scores and pictures of what comes of it."""

from collections.abc import Sequence

from jobs.edit.effect import warnings_of
from jobs.edit.plan import plan_edit
from jobs.edit.requests import write_requests
from jobs.edit.spec import EditSpec
from jobs.flags import parse, say
from jobs.launch import launch
from pipeline.engine.books import Books
from pipeline.engine.job import Job
from pipeline.stages.edit import STEPS_DROPPED

__all__ = ["EditSpec", "main", "plan_edit"]


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    spec = parse(EditSpec, "edit", argv)
    job, workers = plan_edit(spec)
    code = launch(job, workers, spec)
    if not spec.dry_run:
        write_requests(job)
        note_dropped_steps(job)
        for line in warnings_of(job):
            say(line)
    return code


def note_dropped_steps(job: Job) -> None:
    """Say, of the run that has just ended, how many steps are in no table."""
    summary = Books(job.out, job.verb).summary() or {}
    if dropped := summary.get("counters", {}).get(STEPS_DROPPED):
        say(
            f"Note  {dropped:,.0f} steps were not finite and are not in the table (column stop: of which rows): "
            "they go too far"
        )
