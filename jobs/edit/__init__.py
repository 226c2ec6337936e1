"""`stylemill edit`: latents moved along directions, with the scores and pictures of what comes of it."""

from collections.abc import Sequence

from jobs.edit.plan import plan_edit
from jobs.edit.requests import write_requests
from jobs.edit.spec import EditSpec
from jobs.flags import parse
from jobs.launch import launch

__all__ = ["EditSpec", "main", "plan_edit"]


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    spec = parse(EditSpec, "edit", argv)
    job, workers = plan_edit(spec)
    code = launch(job, workers, spec)
    if not spec.dry_run:
        write_requests(job)
    return code
