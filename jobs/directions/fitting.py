"""`stylemill directions fit`: directions from labelled latents, from gradients, or without either."""

import shlex
from collections.abc import Sequence

from jobs.directions.components import plan_components
from jobs.directions.mean_gradient import plan_mean_gradient
from jobs.directions.quality import report_fits
from jobs.directions.spec import UNSUPERVISED, FitSpec
from jobs.directions.strips import StripsSpec
from jobs.directions.supervised import plan_labelled
from jobs.flags import command_of, parse, say
from jobs.launch import launch
from pipeline.engine.job import Job
from pipeline.engine.summary import TASKS_FAILED
from pipeline.tables import store


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code, 1 too where an attribute got no direction."""
    spec = parse(FitSpec, argv)
    job, workers = plan_fit(spec)
    code = launch(job, workers, spec)
    if spec.dry_run or not job.is_sealed("directions"):
        return code
    missing = report_fits(job)
    if spec.latents:
        strips = StripsSpec(
            directions=store.join(spec.out, "directions"), latents=spec.latents, generator=spec.generator,
            force=spec.generator is not None, local=spec.local, out=spec.out,
        )  # fmt: skip
        say(f"      {shlex.join(['stylemill', *command_of(strips)])} makes pictures of them")
    return code or (TASKS_FAILED if missing else 0)


def plan_fit(spec: FitSpec) -> tuple[Job, int | None]:
    """The job, and how many workers.

    Raises:
        SpecError: what is given does not go together, or has no two classes.
        StoreError: a table is not there, or not complete.
    """
    if spec.method == "mean-gradient":
        return plan_mean_gradient(spec)
    return plan_components(spec) if spec.method in UNSUPERVISED else plan_labelled(spec)
