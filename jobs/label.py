"""`stylemill label`: scores of the faces of a latents table, by one family of classifiers or several."""

from collections.abc import Sequence

from jobs.choice import LabelledChoice, choose
from jobs.classifiers import LabellingFlags, labelling
from jobs.flags import parse
from jobs.latents.opening import open_with_generator
from jobs.launch import launch
from jobs.options import LatentsFlags, RunFlags
from jobs.plan import plan
from jobs.resolve import resolve, spec_facts
from pipeline.engine.job import Job
from pipeline.stages.label import LabelStage
from pipeline.stages.models import Model


class LabelSpec(LabelledChoice, LatentsFlags, LabellingFlags, RunFlags):
    """Make the faces of a complete latents table, score them, and write DIR/labels.

    With several --classifiers, DIR/labels is of the first family and DIR/labels_FAMILY of each further one.

    Example: stylemill label --latents out/faces/latents --classifiers judge --out out/faces-judged
    """

    VERB = "label"


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    spec = parse(LabelSpec, argv)
    return launch(*plan_label(spec), spec)


def plan_label(spec: LabelSpec) -> tuple[Job, int | None]:
    """The job, and how many workers; the models that it was planned with are released.

    Raises:
        SpecError: the table does not hold latents, or another generator's.
        StoreError: it is not there, or not complete.
    """
    latents, generator = open_with_generator(spec.latents, spec.generator)
    latents = choose(spec, latents, spec.labels)
    labels = labelling(spec, generator)
    runtime, rows_per_shard, workers = resolve(spec, "label", generator, *latents.size)
    layout, present = latents.lay_out(rows_per_shard, runtime.batch_size)
    stage = LabelStage(
        latents=latents,
        generator=Model(generator.name, generator.fingerprint),
        classifiers=labels.refs,
        runtime=runtime,
    )
    facts = spec_facts(spec, runtime, rows_per_shard=layout.rows_per_shard, **labels.facts, generator=generator.name)
    job = plan(
        spec, stage, layout, facts, latents=latents, generator=generator, families=labels.families,
        present=present, table_facts=labels.table_facts,
    )  # fmt: skip
    return job, workers
