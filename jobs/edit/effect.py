"""What is said at the end of an edit whose scores did not go where they were to go."""

from collections.abc import Iterator

from pipeline.engine.books import Books
from pipeline.engine.job import Job
from pipeline.stages.edit import EditStage
from pipeline.stages.edit_effect import Effect, effects
from pipeline.stages.method import Wanted


def warnings_of(job: Job) -> Iterator[str]:
    """A line for each request most of whose rows went against their score, or did not reach it."""
    assert isinstance(job.stage, EditStage)
    outcomes = Books(job.out, job.verb).outcomes().values()
    rows = sum(outcome.parts["edits"].planned_rows for outcome in outcomes if outcome.ok)
    wanted = job.stage.method.wanted
    for asked, effect in zip(wanted, effects((outcome.counters for outcome in outcomes), len(wanted)), strict=True):
        if line := _warning(asked, effect, rows):
            yield f"Warn  {line}"


def _warning(asked: Wanted, effect: Effect, rows: int) -> str:
    if effect.against > effect.seen / 2:
        short = f", and {effect.short:,} of {rows:,} did not reach {asked.until:g}" if effect.short else ""
        return (
            f"{_name(asked)}: in {effect.against:,} of {effect.seen:,} rows the score went against the edit{short}: "
            f"the direction runs against the classifier of {asked.attribute}; fit it anew, or take its other side"
        )
    if asked.until is not None and effect.short > rows / 2:
        return f"{_name(asked)}: {effect.short:,} of {rows:,} rows did not reach {asked.until:g} (column stop)"
    return ""


def _name(asked: Wanted) -> str:
    return f"{asked.attribute}|{','.join(asked.conditions)}" if asked.conditions else asked.attribute
