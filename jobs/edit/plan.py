"""The plan of a `stylemill edit` job."""

from collections.abc import Sequence
from functools import partial

import schemas
from jobs.choice import choose
from jobs.classifiers import classifier_ref
from jobs.constants import Constants
from jobs.edit.artifact import open_artifact
from jobs.edit.choose import Choice, choose_directions, known, note_psi
from jobs.edit.earlier import digest_of, take_earlier
from jobs.edit.spec import EditSpec
from jobs.latents.opening import open_with_generator
from jobs.options import canonical
from jobs.plan import DIGESTED, plan
from jobs.resolve import CODES_PER_SHARD, FACES, GRADIENTS, ROWS_PER_SHARD, VECTORS, resolve, spec_facts
from pipeline.directions import Direction
from pipeline.editors import EditRequest, Needed, Traits
from pipeline.engine.derived import DerivedTable
from pipeline.engine.job import Job
from pipeline.engine.workers import Load
from pipeline.models.classifiers import built_in, parsing
from pipeline.stages.codes import needed_columns, truncation_of
from pipeline.stages.direction_rows import DirectionTables
from pipeline.stages.edit import EditStage
from pipeline.stages.models import ClassifierRef, Model, Truncated
from pipeline.stages.pictures import NO_PICTURES
from pipeline.stages.request_rows import to_rows
from schemas.edits import JUDGE, kept_steps


def plan_edit(spec: EditSpec) -> tuple[Job, int | None]:
    """The job and the number of workers. The models that it was planned with are released.

    Raises:
        SpecError: latents, directions and flags do not go together.
        StoreError: a table is missing or not complete.
    """
    (name, _), config = spec.EDITOR, spec.config
    latents, generator = open_with_generator(spec.latents, spec.generator, may_differ=spec.force)
    latents = choose(spec, latents, spec.labels)
    table = DirectionTables.open(spec.tables_of_directions) if spec.tables_of_directions else None
    needed = config.needed(config.asked(spec.attribute), spec.preserve)
    trained = open_artifact(spec, generator)
    choice = choose_directions(needed, table, trained.space or spec.space, config.SPACES, generator, spec.force)
    config.check(choice.space, generator)
    if trained.ref is not None:
        config.check_artifact(trained.tensors, generator.shape_of(choice.space))
    requests, directions = _requests(spec, needed, choice)
    trained.check(requests, latents, choice.space, generator)
    traits = config.traits(requests)
    constants = Constants(generator, spec.calibration)
    classifiers = _classifiers(spec, constants)
    search, artifact = _search(spec, traits, classifiers, constants), trained.ref
    needed_columns(latents.schema, choice.space)
    space, parser = config.edits_in(choice.space), _parser(spec, traits)
    earlier = config.earlier(generator.shape_of(space))
    taken = take_earlier(config, earlier, requests, generator, spec.force) if earlier else {}
    note_psi(latents, traits.psi)
    truncated = Truncated(*truncation_of(latents, generator)) if choice.space == "z" else Truncated()
    load, (rows, shards) = _load(spec, traits), latents.size
    runtime, rows_per_shard, workers = resolve(
        spec,
        "edit",
        generator,
        rows,
        shards,
        load,
        units=rows * len(requests) * (1 + traits.steps),  # a search may make more faces than this, but not fewer
        fewest=1,
        most=ROWS_PER_SHARD if load.threads else CODES_PER_SHARD,
    )
    layout, present = latents.lay_out(rows_per_shard, runtime.batch_size)
    keep_steps = spec.keep or traits.keep
    keep = spec.pictures(generator)
    stage = EditStage(
        latents=latents,
        read_in=choice.space,
        space=space,
        shape=generator.shape_of(space),
        editor=config,
        requests=requests,
        directions=directions,
        search=search,
        parser=parser,
        artifact=artifact,
        taken=taken,
        kept=kept_steps(keep_steps, traits.steps),
        generator=Model(generator.name, generator.fingerprint),
        truncated=truncated,
        classifiers=classifiers,
        keep=keep,
        runtime=runtime,
    )
    facts = {
        **spec_facts(spec, runtime, load, "edit", rows_per_shard=layout.rows_per_shard, scored=canonical(spec.scored)),
        **(keep.facts if keep else NO_PICTURES),
        **config.resolved,
        "editor": name,
        "steps": traits.steps,
        "rows_may_stop": traits.rows_may_stop,
        "direction_numbers": choice.numbers,
        "keep": keep_steps,
        "generator": generator.name,
        "space": space,
        **({} if space == choice.space else {"read_in": choice.space}),
        "table_psi": truncated.psi,
        "table_cutoff": truncated.cutoff,
    }
    families = {ref.prefix.rstrip("_") or "classifiers": ref for ref in classifiers}
    job = plan(
        spec,
        stage,
        layout,
        facts,
        verb="edit",
        latents=latents,
        directions=table,
        generator=generator,
        families=families | ({} if search is None else {"search": search}),
        digests={
            **({} if artifact is None else {"artifact_digest": artifact.digest}),
            **({} if parser is None else {"parser_digest": parser.fingerprint}),
            **({} if earlier is None else {f"{earlier.flag}_digest": digest_of(taken)}),
        },
        digested=(*DIGESTED, *((earlier.flag,) if earlier else ())),
        present=present,
        derived=[DerivedTable("requests", schemas.requests(), partial(to_rows, requests))],
    )
    return job, workers


def _requests(
    spec: EditSpec, needed: Needed, choice: Choice
) -> tuple[tuple[EditRequest, ...], tuple[tuple[Direction, ...], ...]]:
    """A request for each attribute, and the directions that each request needs."""
    config = spec.config
    if needed.projected:
        requests = [config.request(one.attribute, one.conditions) for one in choice.directions]
        return tuple(requests), tuple((one,) for one in choice.directions)
    preserve = [choice.attribute(name) for name in spec.preserve]
    requests = [config.request(choice.attribute(name), preserve) for name in config.asked(spec.attribute)]
    return tuple(requests), (choice.directions,) * len(requests)


def _parser(spec: EditSpec, traits: Traits) -> Model | None:
    """The face parser that the editor needs. Raises SpecError where the family has none."""
    if not traits.masks:
        return None
    family = built_in(spec.classifiers)
    return Model(family, parsing.load(family).fingerprint)


def _search(
    spec: EditSpec, traits: Traits, classifiers: Sequence[ClassifierRef], constants: Constants
) -> ClassifierRef | None:
    """The classifiers that the editor looks with; they also give the scores of the same family that become columns."""
    if not traits.looks_at:
        return None
    scored = {name for ref in classifiers if not ref.prefix for name in ref.attributes}
    attributes = canonical(sorted(scored | {known(name, spec.classifiers)[0] for name in traits.looks_at}))
    return classifier_ref(spec.classifiers, attributes, gradients=traits.gradients, constants=constants)


def _load(spec: EditSpec, traits: Traits) -> Load:
    if traits.gradients or traits.masks:
        return GRADIENTS
    return FACES if traits.looks_at or spec.scores != "none" or spec.images != "none" else VECTORS


def _classifiers(spec: EditSpec, constants: Constants) -> tuple[ClassifierRef, ...]:
    """The classifiers whose scores become columns."""
    both = spec.scores == "both"  # then a family may leave out attributes that it does not see
    families = {"": spec.classifiers} if spec.scores in ("faces", "both") else {}
    families |= {JUDGE: spec.judge} if spec.scores in ("judge", "both") else {}
    return tuple(
        classifier_ref(family, spec.scored, prefix, constants=constants, may_lack=both, beside=tuple(families.values()))
        for prefix, family in families.items()
    )
