"""What fits came to: a line for each direction on the screen, and one warning about those that prove nothing."""

from collections.abc import Iterator

import numpy as np

from jobs.flags import say
from pipeline.directions import Direction
from pipeline.directions.method import features
from pipeline.engine.books import Books
from pipeline.engine.derived import DerivedFile
from pipeline.engine.job import Job
from pipeline.report.direction_list import Listed, listed
from pipeline.report.directions import DOUBTS
from pipeline.stages.direction_rows import read_directions
from pipeline.stages.fit import FitStage
from pipeline.stages.mean_gradient import MeanGradientStage
from pipeline.tables import Table, store

AGREE = 0.3
"""Least cosine of the normals of two halves; shuffled scores came to 0.25."""
FEW = 50
"""Rows of the smaller class that a direction is fitted on."""
ABOVE_CHANCE = 0.05
"""Least share of the held-out rows on the right side above one half; two standard errors, where these are more."""
SHOWN = 20


def doubts_file(job: Job, stage: FitStage) -> DerivedFile:
    """The fits that prove nothing, for the screen and the page."""

    def content() -> bytes:
        url = store.join(job.out, "directions")
        fits = zip(listed(url), read_directions(Table.open(url)), strict=True)
        doubts = {fit.name: why for fit, direction in fits if (why := _doubt(stage, fit, direction))}
        return store.canonical_json({"fingerprint": job.fingerprint, "doubts": doubts})

    return DerivedFile(DOUBTS, content, tuple(stage.outputs))


def report_fits(job: Job) -> list[str]:
    """Say what the complete directions of a job came to; the attributes of which none was found."""
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
    if doubts := (store.read_json(store.join(job.out, DOUBTS)) or {}).get("doubts"):
        said = "; ".join(f"{name} ({why})" for name, why in doubts.items())
        say(f"Warn  hardly to be relied on: {said}. More rows, or other scores, may mend it")
    counters = [outcome.counters for outcome in Books(job.out, job.verb).outcomes().values()]
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
    if fit.rows is not None:
        yield f"{fit.rows:,} rows"
    if fit.C is not None:
        yield f"C {fit.C:g}"


def _doubt(stage: FitStage, fit: Listed, one: Direction) -> str:
    """Why a direction proves nothing; empty where it does."""
    attribute, scores_N = stage.attributes[fit.index], stage.scores[:, fit.index]
    config = stage.config_of(attribute)
    classes = config.classes(scores_N, stage.seed, one.fraction)
    kept, smaller = classes.validation, int(min(classes.train.positive.sum(), (~classes.train.positive).sum()))
    right = one.accuracies.get("validation")
    if classes.fraction is None and len(kept) and 0 < kept.positive.sum() < len(kept):
        rows_ND = features(stage.rows.codes(), stage.rows.per_layer)
        found = (config.held_out(one, rows_ND, scores_N, classes) > 0) == kept.positive
        right = float((found[kept.positive].mean() + found[~kept.positive].mean()) / 2)
    if right is not None and len(kept):
        sizes = np.array([kept.positive.sum(), (~kept.positive).sum()]).clip(1)
        chance = 0.5 + max(ABOVE_CHANCE, float(np.sqrt((0.25 / sizes).sum())))
        if right < chance:
            advice = f", {config.advice} may help" if config.advice else ""
            return f"{100 * right:.0f} % of each class kept aside on its side, by chance 50 %{advice}"
    if fit.agreement is not None and fit.agreement < AGREE:
        return f"two halves of the rows agree {fit.agreement:.2f} of 1"
    return f"fitted on {smaller} rows of {attribute} in the smaller class" if smaller < FEW else ""
