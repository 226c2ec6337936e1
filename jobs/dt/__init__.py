"""`stylemill dt`: Disentanglement-Transformation curves of edits, over pairs of attributes and cells of lambdas."""

from collections.abc import Sequence

from jobs.dt.plan import passes, plan_dt
from jobs.dt.spec import DtSpec
from jobs.dt.summary import summarise
from jobs.flags import parse, say
from jobs.launch import launch

__all__ = ["DtSpec", "main", "plan_dt"]


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    spec = parse(DtSpec, argv)
    job, workers = plan_dt(spec)
    say(f"Grid  {passes(spec)}")
    code = launch(job, workers, spec)
    if not spec.dry_run:
        summarise(job)
    return code
