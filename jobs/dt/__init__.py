"""`stylemill dt`: Disentanglement-Transformation curves of edits, over pairs of attributes and cells of lambdas."""

from collections.abc import Iterator, Sequence

from jobs.dt.plan import passes, plan_dt
from jobs.dt.spec import DtSpec
from jobs.flags import parse, say
from jobs.launch import launch
from jobs.print_tables import show_part
from pipeline.engine.job import Job
from pipeline.report.dt.page import on_screen, write
from pipeline.report.dt.result import PairResult, read

__all__ = ["DtSpec", "main", "plan_dt"]


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    spec = parse(DtSpec, argv)
    job, workers = plan_dt(spec)
    say(f"Grid  {passes(spec)}")
    code = launch(job, workers, spec)
    if not spec.dry_run and all(map(job.is_sealed, ("dt_steps", "dt_curves", "dt_auc"))):
        summarise(job)
    return code


def summarise(job: Job) -> None:
    """The curves and areas of a job that is done on the screen, and its page."""
    results = read(job.out)
    for note in (note for result in results for note in _notes(result)):
        say(f"Note  {note}")
    for part in on_screen(results):
        show_part(part)
    facts = {
        "Command": job.command,
        "Fingerprint": job.fingerprint,
        "Rows": f"{job.spec['rows_of_a_pair']:,} of each pair, after {job.spec['first']:,} others, "
        f"{job.spec['steps']} steps of {job.spec['step_size']:g}",
        **{name.replace("_", " "): str(value) for name, value in job.resolved.items()},
        **{f"{name} version": value for name, value in job.versions.items()},
    }
    say(f"Page  {write(job.out, results, facts)}")


def _notes(result: PairResult) -> Iterator[str]:
    """Which rows are not counted."""
    name, seen = " | ".join(result.pair), result.seen
    if seen.rejected:
        yield f"{name}: {seen.rejected:,} rows were rejected in a cell, and are left out of all cells"
    for family, its in seen.families.items():
        if not its.rows.any():
            yield f"{name}: no row is left that starts in the source class by {family}"
        elif its.started_there and family == result.judge:
            yield f"{name}: {its.started_there:,} rows start on the target's side when scored again, and are left out"
