"""`stylemill directions fit`: directions from labelled latents, from gradients, or without either."""

from collections.abc import Sequence

from jobs.directions.components import plan_components
from jobs.directions.mean_gradient import run_mean_gradient
from jobs.directions.quality import report_fits
from jobs.directions.spec import UNSUPERVISED, FitSpec
from jobs.directions.strips import StripsSpec, plan_strips
from jobs.directions.supervised import plan_svm
from jobs.flags import parse, say
from jobs.launch import launch
from jobs.options import RunFlags
from pipeline.engine.job import Job
from pipeline.tables import Table, store


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    spec = parse(FitSpec, argv)
    code = _run(spec)
    made = Table(store.join(spec.out, "directions")).manifest() is not None
    return code if code or not spec.strips or spec.dry_run or not made else _strips(spec)


def _run(spec: FitSpec) -> int:
    if spec.method == "mean-gradient":
        return run_mean_gradient(spec)
    job, workers = plan_fit(spec)
    code = launch(job, workers, spec)
    if not spec.dry_run:
        for line in report_fits(job):
            say(line)
    return code


def _strips(spec: FitSpec) -> int:
    """DIR/strips of the directions that were just made: a job of its own."""
    how = {name: getattr(spec, name) for name in RunFlags.model_fields}
    directions = store.join(spec.out, "directions")
    asked = StripsSpec(**how, directions=directions, latents=spec.latents, faces=spec.strips, generator=spec.generator)
    return launch(*plan_strips(asked), asked)


def plan_fit(spec: FitSpec) -> tuple[Job, int | None]:
    """The job, and how many workers, of every method but mean-gradient, which has a story of its own.

    Raises:
        SpecError: what is given does not go together, or has no two classes.
        StoreError: a table is not there, or not complete.
    """
    if spec.method in UNSUPERVISED:
        return plan_components(spec)
    return plan_svm(spec)
