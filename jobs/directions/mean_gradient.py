"""The job that averages gradients of scores over faces, and the directions that are made of it in the end."""

import pyarrow as pa

import schemas
from jobs.choice import choose
from jobs.classifiers import classifier_ref
from jobs.constants import Constants
from jobs.directions.spec import VERB, FitSpec
from jobs.flags import say
from jobs.latents.opening import open_with_generator
from jobs.plan import plan
from jobs.resolve import GRADIENTS, resolve, spec_facts
from pipeline.engine.derived import DerivedTable
from pipeline.engine.job import Job
from pipeline.errors import SpecError
from pipeline.models import generators
from pipeline.models.classifiers.attributes import DEFAULT_ATTRIBUTES
from pipeline.models.generators import Generator
from pipeline.stages.codes import needed_columns
from pipeline.stages.direction_rows import to_rows
from pipeline.stages.joined import Joined, join
from pipeline.stages.mean_gradient import MeanGradientStage, directions_of
from pipeline.stages.models import Model, Runtime
from pipeline.stages.source import Latents
from pipeline.tables import Layout, Table, store

FAMILY = "faces"


def plan_mean_gradient(spec: FitSpec) -> tuple[Job, int | None]:
    """The job, and how many workers; the models that it was planned with are released.

    Raises:
        SpecError: latents, classifiers and what is asked do not go together.
        StoreError: a table is not there, or not complete.
    """
    latents, generator = open_with_generator(spec.latents, spec.generator)
    latents = choose(spec, latents, spec.labels)
    needed_columns(latents.schema, spec.space)
    name = spec.classifiers or FAMILY
    constants = Constants(generator, spec.calibration)
    classifiers = classifier_ref(name, spec.attributes or DEFAULT_ATTRIBUTES, gradients=True, constants=constants)
    rows, shards = latents.size
    rows = min(spec.rows or rows, rows)
    runtime, rows_per_shard, workers = resolve(spec, VERB, generator, rows, shards, GRADIENTS)
    latents, layout, present = _laid_out(spec, latents, rows_per_shard, runtime)
    stage = MeanGradientStage(
        latents=latents,
        space=spec.space,
        shape=_shape(spec, generator),
        opposite=spec.opposite,
        generator=Model(generator.name, generator.fingerprint),
        classifiers=classifiers,
        runtime=runtime,
    )
    facts = spec_facts(
        spec, runtime, attributes=list(classifiers.attributes), generator=generator.name, classifiers=name,
        opposite=spec.opposite, first_index=layout.first_index, rows=layout.rows,
        rows_per_shard=layout.rows_per_shard,
    )  # fmt: skip
    job = plan(
        spec, stage, layout, facts, verb=VERB, latents=latents, generator=generator,
        families={"classifiers": classifiers}, present=present, derived=[_directions(spec, stage)],
    )  # fmt: skip
    return job, workers


def _laid_out(
    spec: FitSpec, latents: Latents, rows_per_shard: int, runtime: Runtime
) -> tuple[Latents, Layout, list[int]]:
    """The latents, as many of them as asked, how they are cut, and how many rows each shard really has.

    Raises:
        SpecError: as `Latents.lay_out`, or there is no row.
    """
    whole = len(latents.tables) == 1 and latents.chosen is None
    if spec.rows and not (whole and latents.tables[0].layout and not latents.tables[0].layout.bounds):
        latents = latents.only(latents.indices[: spec.rows])
    layout, present = latents.lay_out(rows_per_shard, runtime.batch_size)
    if spec.rows and spec.rows < layout.rows and latents.chosen is None:
        layout = Layout(spec.rows, layout.rows_per_shard, layout.first_index)
        span = layout.indices(layout.shards - 1)
        present = [*present[: layout.shards - 1], latents.read(["index"], span.start, span.stop).num_rows]
    if not sum(present):
        raise SpecError(f"{latents.url} has no row to average over")
    return latents, layout, present


def _shape(spec: FitSpec, generator: Generator) -> tuple[int, ...]:
    """Of a direction's vector."""
    if spec.space == "s":
        return (generator.num_styles,)
    return (generator.num_ws, generator.w_dim) if spec.per_layer else (generator.w_dim,)


def _directions(spec: FitSpec, stage: MeanGradientStage) -> DerivedTable:
    """DIR/directions, from the sealed gradients. Raises as `_labels`."""
    labels, digests = _labels(spec, stage), [Table.open(url).digest for url in spec.labels]

    def rows() -> pa.Table:
        generator = None if spec.space == "w" else generators.load(stage.generator.name, backend="eager")
        gradients = Table.open(store.join(spec.out, "gradients"))
        found, lacking = directions_of(stage, gradients, generator, labels)
        if not found:
            raise SpecError("; ".join(lacking))
        for sentence in lacking:
            say(f"Note  {sentence}")
        return to_rows(found)

    return DerivedTable("directions", schemas.directions(), rows, ("gradients",), {"labels_digests": digests})


def _labels(spec: FitSpec, stage: MeanGradientStage) -> Joined | None:
    """What accuracies are told from. Raises SpecError where an attribute has none."""
    if not spec.labels:
        return None
    joined = join(stage.latents, [Table.open(url) for url in spec.labels], stage.classifiers.attributes)
    for note in joined.notes:
        say(f"Note  {note}")
    return joined
