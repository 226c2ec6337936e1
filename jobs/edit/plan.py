"""What `stylemill edit` will do."""

from collections.abc import Callable

from jobs.choice import choose
from jobs.classifiers import classifier_ref
from jobs.edit import ials, linear
from jobs.edit.asked import Ask
from jobs.edit.levels import note_psi
from jobs.edit.spec import IALS_ONLY, LINEAR_ONLY, EditSpec
from jobs.latents import open_with_generator
from jobs.launch import command, versions
from jobs.options import canonical
from jobs.resolve import CODES_PER_SHARD, ROWS_PER_SHARD, resolve, spec_facts
from jobs.weights import used
from jobs.workers import FACES, GRADIENTS, VECTORS, Load
from pipeline.engine.job import Job
from pipeline.models.generators import Generator
from pipeline.stages.codes import needed_columns, truncation_of
from pipeline.stages.direction_rows import DirectionTables
from pipeline.stages.edit import EditStage
from pipeline.stages.models import ClassifierRef, Model, Truncated
from pipeline.stages.pictures import NO_PICTURES, Keep
from schemas.edits import JUDGE

ASKS: dict[str, Callable[[EditSpec, DirectionTables | None, Generator], Ask]] = {
    "interfacegan": linear.ask,
    "ials": ials.ask,
}


def plan_edit(spec: EditSpec) -> tuple[Job, int | None]:
    """The job, and how many workers; the models that it was planned with are let go.

    Raises:
        SpecError: latents, directions and what is asked do not go together.
        StoreError: a table is not there, or not complete.
    """
    latents, generator = open_with_generator(spec.latents, spec.generator, may_differ=spec.force)
    latents = choose(spec, latents, spec.labels)
    table = DirectionTables.open(spec.directions) if spec.directions else None
    ask = ASKS[spec.editor](spec, table, generator)
    needed_columns(latents.schema, ask.space)
    if spec.editor == "ials" and spec.as_released:
        note_psi(latents)
    truncated = Truncated(*truncation_of(latents, generator)) if ask.space == "z" else Truncated()
    load, (rows, shards) = _load(spec, ask), latents.size
    most = ROWS_PER_SHARD if load.threads else CODES_PER_SHARD
    runtime, rows_per_shard, workers = resolve(
        spec, "edit", generator, rows, shards, load, units=rows * _faces(spec), fewest=1, most=most
    )
    layout, present = latents.lay_out(rows_per_shard, runtime.batch_size)
    method = ask.method(runtime, truncated)
    classifiers = _classifiers(spec)
    keep = None if spec.images == "none" else Keep(spec.images, generator.check_size(spec.size), spec.quality)
    stage = EditStage(
        latents=latents,
        space=ask.space,
        shape=ask.shape,
        method=method,
        kept=kept_steps(spec.keep or ask.keep, method.steps),
        generator=Model(generator.name, generator.fingerprint),
        truncated=truncated,
        classifiers=classifiers,
        keep=keep,
        runtime=runtime,
    )
    own = spec_facts(spec, runtime, load, "edit", rows_per_shard=layout.rows_per_shard, scored=canonical(spec.scored))
    others = IALS_ONLY if spec.editor == "interfacegan" else LINEAR_ONLY
    for field in ("latents", "labels", "directions", "force", *others):
        own.pop(field, None)  # digests say which tables; where they lie decides nothing
    opened = {f"{ref.prefix.rstrip('_') or 'classifiers'}_digest": ref for ref in classifiers}
    if ask.classifiers is not None:
        opened["search_digest"] = ask.classifiers
    job = Job(
        verb="edit",
        out=spec.out,
        stage=stage,
        layout=layout,
        present=present,
        spec={
            **own,
            **(keep.facts if keep else NO_PICTURES),
            **ask.facts,
            **latents.choice,
            "keep": spec.keep or ask.keep,
            "generator": generator.name,
            "space": ask.space,
            "table_psi": truncated.psi,
            "table_cutoff": truncated.cutoff,
        },
        resolved={
            "latents_digest": latents.digest,
            **({} if table is None else {"directions_digest": table.digest}),
            "generator_digest": generator.fingerprint,
            **{digest: ref.family.fingerprint for digest, ref in opened.items()},
        },
        versions=versions(),
        command=command(),
        weights=used(generator.name, *(name for ref in opened.values() for name in ref.weights)),
    )
    return job, workers


def kept_steps(keep: str, steps: int) -> tuple[int, ...]:
    """Which of the steps 0 (the source) to `steps` go into the table."""
    if keep == "last":
        return (steps,)
    every = 1 if keep == "all" else int(keep)
    return tuple(sorted({*range(0, steps + 1, every), steps}))


def _load(spec: EditSpec, ask: Ask) -> Load:
    if ask.gradients:
        return GRADIENTS
    return FACES if ask.classifiers or spec.scores != "none" or spec.images != "none" else VECTORS


def _faces(spec: EditSpec) -> int:
    """Codes of each row; where the search for a score decides how many, at least these."""
    steps = spec.steps if spec.editor == "ials" else len(spec.strengths)
    return len(spec.attribute) * (1 + steps)


def _classifiers(spec: EditSpec) -> tuple[ClassifierRef, ...]:
    """Whose scores become columns."""
    own = [classifier_ref(spec.classifiers, canonical(spec.scored))] if spec.scores in ("faces", "both") else []
    judged = [classifier_ref(spec.judge, canonical(spec.scored), JUDGE)] if spec.scores in ("judge", "both") else []
    return (*own, *judged)
