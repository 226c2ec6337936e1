"""How good the fits are: a line for each direction on the screen, and one warning about unreliable ones."""

import math
from collections.abc import Iterator

from jobs.flags import say
from pipeline.directions.unreliable import why_unreliable
from pipeline.engine.derived import DerivedFile
from pipeline.engine.job import Job
from pipeline.engine.job_records import JobRecords
from pipeline.report.direction_list import Listed, listed
from pipeline.report.directions import UNRELIABLE_FITS
from pipeline.stages.direction_rows import read_directions
from pipeline.stages.fit import FitStage
from pipeline.stages.mean_gradient import MeanGradientStage
from pipeline.tables import Table, store

SHOWN = 20


def unreliable_fits_file(job: Job, stage: FitStage) -> DerivedFile:
    """The unreliable fits, for the screen and the page."""

    def content() -> bytes:
        unreliable, fits = dict[str, str](), listed(store.join(job.out, "directions"))
        outcomes = JobRecords(job.out, job.verb).outcomes()
        judged = "hyperplanes" if stage.config.keeps_hyperplanes else "directions"
        for fit, direction in zip(fits, read_directions(Table.open(store.join(job.out, judged))), strict=True):
            config, scores_N = stage.config_of(stage.attributes[fit.index]), stage.scores[:, fit.index]
            counters = outcomes[fit.index].counters if fit.index in outcomes else {}
            if why := why_unreliable(config, direction, fit.agreement, counters, scores_N, stage.seed):
                unreliable[fit.name] = why
        return store.canonical_json({"fingerprint": job.fingerprint, "doubts": unreliable})

    return DerivedFile(UNRELIABLE_FITS, content, tuple(stage.outputs))


def report_fits(job: Job) -> list[str]:
    """Print the quality of a job's directions; returns the attributes of which none was found."""
    fits = listed(store.join(job.out, "directions"))
    for line in _lines(fits):
        say(line)
    if isinstance(job.stage, FitStage):
        _warn(job, job.stage)
    wanted = job.stage.classifiers.attributes if isinstance(job.stage, MeanGradientStage) else ()
    missing = [name for name in wanted if name not in {fit.attribute for fit in fits}]
    if missing:
        say(f"Stop  no direction of {', '.join(missing)}")
    return missing


def _warn(job: Job, stage: FitStage) -> None:
    if unreliable := (store.read_json(store.join(job.out, UNRELIABLE_FITS)) or {}).get("doubts"):
        said = "; ".join(f"{name} ({why})" for name, why in unreliable.items())
        say(f"Warn  unreliable: {said}. More rows, or other scores, may help")
    counters = [outcome.counters for outcome in JobRecords(job.out, job.verb).outcomes().values()]
    for counter, sentence in stage.config.NOTES.items():
        if count := sum(counter in one for one in counters):
            say(f"Note  {count} of the directions: {sentence}")


def _lines(fits: list[Listed]) -> Iterator[str]:
    """One for each direction."""
    width = max((len(fit.name) for fit in fits[:SHOWN]), default=0)
    for fit in fits[:SHOWN]:
        if facts := ", ".join(_facts(fit)):
            yield f"      {fit.name:<{width}}  {facts}"
    if len(fits) > SHOWN:
        yield f"      and {len(fits) - SHOWN:,} more"


def _facts(fit: Listed) -> Iterator[str]:
    for part, share in fit.accuracies.items():
        if part in ("validation", "all"):
            yield f"{part} {100 * share:.0f} %"
    if fit.agreement is not None:
        yield f"two halves agree {fit.agreement:.2f}"
    if fit.sparsity is not None:
        yield f"{fit.channels:,} of {math.prod(fit.shape):,} channels ({100 * fit.sparsity:.1f} % zeros)"
    if fit.rows is not None:
        yield f"{fit.rows:,} rows"
    if fit.C is not None:
        yield f"C {fit.C:g}"
