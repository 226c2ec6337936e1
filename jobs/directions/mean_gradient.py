"""The job that averages gradients of scores over faces, and the directions that are made of it in the end."""

from typing import Any

import schemas
from jobs.choice import choose
from jobs.classifiers import classifier_ref
from jobs.directions.fitting import VERB, FitSpec
from jobs.directions.quality import lines, read_fits
from jobs.flags import say
from jobs.latents import open_with_generator
from jobs.launch import command, launch, versions
from jobs.options import DEFAULT_ATTRIBUTES, canonical
from jobs.resolve import resolve, spec_facts
from jobs.small import check_free, write_small
from jobs.weights import used
from jobs.workers import GRADIENTS
from pipeline.engine.job import Job
from pipeline.engine.owner import disown, owner
from pipeline.engine.summary import TASKS_FAILED
from pipeline.errors import SpecError
from pipeline.models import generators
from pipeline.models.generators import Generator
from pipeline.stages.codes import needed_columns
from pipeline.stages.direction_rows import to_rows
from pipeline.stages.gradient_means import directions_of
from pipeline.stages.joined import Joined, join
from pipeline.stages.mean_gradient import MeanGradientStage
from pipeline.stages.models import Model, Runtime
from pipeline.stages.source import Latents
from pipeline.tables import Layout, Table, store

FAMILY = "faces"


def run_mean_gradient(spec: FitSpec) -> int:
    """Run the job, then write DIR/directions from what it summed; the exit code, 1 where an attribute got none.

    Raises:
        SpecError and StoreError as `plan_mean_gradient`.
        OutputDiffers: the directions there are another command's.
    """
    job, workers = plan_mean_gradient(spec)
    labels = _labels(spec, job)
    _check_directions(job, spec.replace)
    code = launch(job, workers, spec)
    ended = 0 if spec.dry_run else _finish(job, spec, labels)
    return code or ended


def plan_mean_gradient(spec: FitSpec) -> tuple[Job, int | None]:
    """The job, and how many workers; the models that it was planned with are let go.

    Raises:
        SpecError: latents, classifiers and what is asked do not go together.
        StoreError: a table is not there, or not complete.
    """
    latents, generator = open_with_generator(spec.latents, spec.generator)
    latents = choose(spec, latents, spec.labels)
    needed_columns(latents.schema, spec.space)
    name = spec.classifiers or FAMILY
    classifiers = classifier_ref(name, canonical(spec.attributes or DEFAULT_ATTRIBUTES), gradients=True)
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
    own = spec_facts(
        spec, runtime, attributes=list(classifiers.attributes), generator=generator.name, classifiers=name,
        opposite=spec.opposite, first_index=layout.first_index, rows=layout.rows,
        rows_per_shard=layout.rows_per_shard,
    )  # fmt: skip
    del own["latents"], own["labels"]  # digests say which latents; labels move no gradient
    job = Job(
        verb=VERB,
        out=spec.out,
        stage=stage,
        layout=layout,
        present=present,
        spec={**own, **latents.choice},
        resolved={
            "latents_digest": latents.digest,
            "generator_digest": generator.fingerprint,
            "classifiers_digest": classifiers.family.fingerprint,
        },
        versions=versions(),
        command=command(),
        weights=used(generator.name, *classifiers.weights),
    )
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


def _labels(spec: FitSpec, job: Job) -> Joined | None:
    """What accuracies are told from. Raises SpecError where an attribute has none."""
    if not spec.labels:
        return None
    stage = _stage(job)
    joined = join(stage.latents, [Table.open(url) for url in spec.labels], stage.classifiers.attributes)
    for note in joined.notes:
        say(f"Note  {note}")
    return joined


# -- the end ----------------------------------------------------------------------------------------------------------


def _finish(job: Job, spec: FitSpec, labels: Joined | None) -> int:
    """DIR/directions, once the gradients are complete; where it is there already, nothing is made."""
    stage, table = _stage(job), Table(store.join(job.out, "directions"))
    gradients = Table(store.join(job.out, "gradients"))
    manifest = gradients.manifest()
    there = table.manifest()
    if manifest is None or manifest["fingerprint"] != job.fingerprint:
        if there is not None and there["facts"].get("spec", {}).get("gradients") != job.fingerprint:
            disown(table)  # --replace: they are of what was replaced
        return 0
    facts = _facts(job, spec, gradients)
    if there is None or there["facts"] != facts:
        generator = None if spec.space == "w" else generators.load(stage.generator.name, backend="eager")
        found = directions_of(stage, gradients, generator, labels)
        if not found.directions:
            raise SpecError("; ".join(found.lacking))
        write_small(table.url, schemas.directions(), to_rows(found.directions), facts)
        for sentence in found.lacking:
            say(f"Note  {sentence}")
    made = set(table.read(["attribute"])["attribute"].to_pylist())
    for line in lines(read_fits(table.url)):
        say(line)
    missing = [name for name in stage.classifiers.attributes if name not in made]
    if missing:
        say(f"Stop  no direction of {', '.join(missing)}")
    return TASKS_FAILED if missing else 0


def _facts(job: Job, spec: FitSpec, gradients: Table) -> dict[str, Any]:
    """What the directions stand on; the digest of the gradients changes where rejected rows were taken up again."""
    return {
        "verb": VERB,
        "spec": {"gradients": job.fingerprint, "generator": job.spec["generator"]},
        "resolved": {
            **job.resolved,
            "gradients_digest": gradients.digest,
            "labels_digests": [Table.open(url).digest for url in spec.labels],
        },
    }


def _check_directions(job: Job, replace: bool) -> None:
    """Raise OutputDiffers where DIR/directions are another command's, before anything is made."""
    table = Table(store.join(job.out, "directions"))
    there = table.manifest()
    if owner(table) is not None or (there is not None and "gradients" not in there["facts"].get("spec", {})):
        check_free(table.url, replace)


def _stage(job: Job) -> MeanGradientStage:
    assert isinstance(job.stage, MeanGradientStage)
    return job.stage
