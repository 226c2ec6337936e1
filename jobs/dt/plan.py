"""Plans the job of `stylemill dt`."""

from jobs.choice import choose
from jobs.classifiers import classifier_ref
from jobs.constants import Constants
from jobs.dt.chosen import choose_rows, kappas, read_labels
from jobs.dt.spec import DtSpec, gradients
from jobs.edit.choose import Choice, choose_directions, known, note_psi
from jobs.latents.opening import open_with_generator
from jobs.options import canonical
from jobs.plan import DIGESTED, plan
from jobs.resolve import FACES, GRADIENTS, resolve, spec_facts
from pipeline.editors import EditRequest, Needed
from pipeline.editors.ials import LAMBDAS, Config, Steps
from pipeline.engine.job import Job
from pipeline.engine.layout import cut
from pipeline.errors import SpecError
from pipeline.metrics import Cell, Pair
from pipeline.stages.codes import needed_columns
from pipeline.stages.direction_rows import DirectionTables
from pipeline.stages.dt import DtStage
from pipeline.stages.dt_rows import derived
from pipeline.stages.models import Model
from pipeline.stages.source import digest_of
from schemas.edits import JUDGE

ROWS_PER_SHARD = {"cpu": 4, "cuda": 256}
"""Items, at most: each is as many faces as it has steps, some with gradients."""


def plan_dt(spec: DtSpec) -> tuple[Job, int | None]:
    """The job, and how many workers; the models that it was planned with are released.

    Raises:
        SpecError: latents, labels, directions and what is asked do not go together.
        StoreError: a table is not there, or not complete.
    """
    latents, generator = open_with_generator(spec.latents, spec.generator, may_differ=spec.force)
    latents = choose(spec, latents, spec.labels)
    table = DirectionTables.open(spec.directions) if spec.directions else None
    needed, spaces = Needed(_attribute_level(spec)), Config.SPACES
    choice = choose_directions(needed, table, spec.space, spaces, generator, spec.force)
    spec.check_space(choice.space)
    pairs = _by_attribute(spec, choice)
    needed_columns(latents.schema, choice.space)
    note_psi(latents, spec.psi)
    constants = Constants(generator, spec.calibration)
    labels = read_labels(spec, constants)
    rows = choose_rows(spec, latents, labels, pairs)
    families = spec.classifiers, spec.judge
    attributes = canonical(sorted({known(name, *families)[0] for pair in pairs for name in pair}))
    classifiers = classifier_ref(spec.classifiers, attributes, gradients=True, constants=constants)
    judge = classifier_ref(spec.judge, attributes, JUDGE, constants=constants)
    load, items = GRADIENTS if needs_gradients(spec) else FACES, len(spec.cells) * sum(map(len, rows))
    runtime, rows_per_shard, workers = resolve(
        spec, "dt", generator, items, load=load, units=items * spec.steps, fewest=1, most=ROWS_PER_SHARD
    )
    stage = DtStage(
        latents=latents,
        space=choice.space,
        requests=tuple(_request(spec, pair, cell) for pair in pairs for cell in spec.cells),
        rows=tuple(indices for indices in rows for _ in spec.cells),
        directions=choice.directions,
        generator=Model(generator.name, generator.fingerprint),
        classifiers=classifiers,
        judge=judge,
        runtime=runtime,
        settings=Steps.model_validate({name: getattr(spec, name) for name in Steps.model_fields}),
        kappas=kappas(spec, latents, labels, pairs),
    )
    layout = cut(stage.items, rows_per_shard, runtime.batch_size)
    facts = {
        **spec_facts(spec, runtime, load, **layout.facts),
        "pairs": [list(pair) for pair in pairs],
        "lambdas": [list(cell) for cell in spec.cells],
        "rows_of_a_pair": spec.rows,
        "generator": generator.name,
        "space": choice.space,
        "direction_numbers": choice.numbers,
    }
    job = plan(
        spec, stage, layout, facts, latents=latents, directions=table, generator=generator,
        families={"classifiers": classifiers, "judge": judge}, digests={"labels_digest": digest_of(labels.judge)},
        digested=(*DIGESTED, "grid"), versions=("scikit-learn", "scipy"), derived=derived(spec.out, stage, layout),
    )  # fmt: skip
    return job, workers


def passes(spec: DtSpec) -> str:
    """How much there is to do, in passes through the generator and in scores."""
    forward, backward = faces(spec)
    scored = forward * 2 * 2  # two attributes, by two families
    return (
        f"{_count(len(spec.ordered), 'pair')} x {_count(len(spec.cells), 'cell')} x {_count(spec.rows, 'row')}: "
        f"{forward:,} faces forward, {backward:,} backward, {scored:,} scored"
    )


def faces(spec: DtSpec) -> tuple[int, int]:
    """Passes through the generator of one face each, forward and backward."""
    searched = 1 if spec.no_incremental else spec.steps
    backward = len(spec.ordered) * spec.rows * searched * sum(map(gradients, spec.cells))
    return len(spec.ordered) * len(spec.cells) * spec.rows * (spec.steps + 1), backward


def needs_gradients(spec: DtSpec) -> bool:
    """Whether any cell does."""
    return any(map(gradients, spec.cells))


def _attribute_level(spec: DtSpec) -> tuple[str, ...]:
    """The attributes whose attribute-level directions take part, as asked."""
    used = [any(cell[place] > 0 for cell in spec.cells) for place in (0, 1)]
    used[1] |= spec.as_released
    names = [name for pair in spec.ordered for name, takes_part in zip(pair, used, strict=True) if takes_part]
    return tuple(dict.fromkeys(names))


def _by_attribute(spec: DtSpec, choice: Choice) -> tuple[Pair, ...]:
    """The pairs by attribute, where the flag says `old#3`. Raises SpecError."""
    by_attribute: dict[str, str] = {}
    for name in choice.chosen:
        if (other := by_attribute.setdefault(choice.attribute(name), name)) != name:
            raise SpecError(f"--pairs has {other} and {name}, two directions of one attribute: a job each")
    pairs = tuple((choice.attribute(primal), choice.attribute(condition)) for primal, condition in spec.ordered)
    for primal, condition in pairs:
        if len({known(name, spec.classifiers, spec.judge)[0] for name in (primal, condition)}) == 1:
            raise SpecError(
                f"--pairs {primal}:{condition}: these are one attribute, which cannot both change and stay unchanged"
            )
    return pairs


def _request(spec: DtSpec, pair: Pair, cell: Cell) -> EditRequest:
    options = dict(zip(LAMBDAS, cell, strict=True))
    return EditRequest(pair[0], (pair[1],), spec.target, spec.strengths(spec.target), options=options)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
