"""Remarks at the end of an edit: on dropped steps, on rows that were not edited, and on scores that moved the wrong
way.
"""

from collections.abc import Iterator, Mapping, Sequence

from pipeline.editors import EditRequest
from pipeline.editors.effect import Effect, effects
from pipeline.editors.stages import told
from pipeline.engine.job import Job
from pipeline.engine.job_records import JobRecords
from pipeline.stages.edit import STEPS_DROPPED, EditStage
from schemas.edits import JUDGE


def remarks_on(job: Job) -> Iterator[str]:
    """On the run that has just ended: a line where steps were dropped, one for each request of which rows stay as they
    are, and one for each request most of whose rows went against their score, or did not reach it.
    """
    assert isinstance(job.stage, EditStage)
    job_records, requests = JobRecords(job.out, job.verb), job.stage.requests
    if dropped := (job_records.summary() or {}).get("counters", {}).get(STEPS_DROPPED):
        yield (
            f"Note  {dropped:,.0f} steps were not finite and are not in the table (column stop: of which rows): "
            "they go too far"
        )
    outcomes = job_records.outcomes().values()
    yield from _of_stages(job.stage, [outcome.counters for outcome in outcomes])
    rows = sum(outcome.parts["edits"].planned_rows for outcome in outcomes if outcome.ok)
    found = effects((outcome.counters for outcome in outcomes), len(requests))
    for asked, directions, effect in zip(requests, job.stage.directions, found, strict=True):
        if line := _stayed(asked, effect, rows):
            yield f"Note  {line}"
        if line := _warning(asked, effect, rows, bool(directions)):
            yield f"Warn  {line}"


def _of_stages(stage: EditStage, counters: Sequence[Mapping[str, float]]) -> Iterator[str]:
    """What each stage of a sequence changed, by each family that scored the faces."""
    stages = stage.traits.stages
    if stages and not stage.scores:
        yield "Note  what each stage changed is told where scores are kept (--scores)"
    if stages and stage.scores and len(stage.kept) < 2:
        yield "Note  what each stage changed is told where each of them is kept (--keep all)"
    for request in range(len(stage.requests) if stages and stage.scores else 0):
        for name, changed in told(counters, request, stages, stage.scores).items():
            for judged, whose in ((False, ""), (True, ", by the judge")):
                found = {score: rise for score, rise in changed.items() if score.startswith(JUDGE) == judged}
                numbers = ", ".join(f"{score.removeprefix(JUDGE)} {rise:+.2f}" for score, rise in found.items())
                if found:
                    yield f"Note  {name}{whose}: {numbers}"


def _stayed(asked: EditRequest, effect: Effect, rows: int) -> str:
    if not effect.stayed:
        return ""
    why = ", ".join(f"{count:,} {stop}" for stop, count in effect.stayed.items())
    return f"{asked.name}: {sum(effect.stayed.values()):,} of {rows:,} rows stay as they are: {why}"


def _warning(asked: EditRequest, effect: Effect, rows: int, directed: bool) -> str:
    if effect.against > effect.seen / 2:
        short = f", and {effect.short:,} of {rows:,} did not reach {asked.until:g}" if effect.short else ""
        against = f"runs against the classifier of {' or '.join(asked.attributes)}"
        what = f"the direction {against}; fit it anew, or take its other side" if directed else f"the editor {against}"
        seen = f"in {effect.against:,} of {effect.seen:,} rows the score went against the edit{short}"
        return f"{asked.name}: {seen}: {what}"
    if asked.until is not None and effect.short > rows / 2:
        return f"{asked.name}: {effect.short:,} of {rows:,} rows did not reach {asked.until:g} (column stop)"
    return ""
