"""`stylemill label`: scores of the faces of a latents table, by one family of classifiers or several."""

from collections.abc import Sequence

from pydantic import Field

from jobs.choice import LabelledChoice, choose
from jobs.classifiers import LABELLING, families_of, families_said, labelling_refs, labels_facts
from jobs.constants import CalibrationFlag, Constants
from jobs.flags import Names, parse
from jobs.latents import open_with_generator
from jobs.launch import launch
from jobs.options import ATTRIBUTES_HELP, DEFAULT_ATTRIBUTES, LatentsFlags, RunFlags, canonical
from jobs.plan import plan
from jobs.resolve import resolve, spec_facts
from pipeline.engine.job import Job
from pipeline.stages.label import LabelStage
from pipeline.stages.models import Model


class LabelSpec(LabelledChoice, LatentsFlags, CalibrationFlag, RunFlags):
    """Make the faces of a sealed latents table once more, score them, and write DIR/labels.

    With several --classifiers, DIR/labels is of the first family and DIR/labels_FAMILY of each further one.

    Example: stylemill label --latents out/faces/latents --classifiers judge --out out/faces-judged
    """

    VERB = "label"

    attributes: Names = Field(DEFAULT_ATTRIBUTES, min_length=1, description=ATTRIBUTES_HELP)
    classifiers: Names = LABELLING


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    spec = parse(LabelSpec, argv)
    return launch(*plan_label(spec), spec)


def plan_label(spec: LabelSpec) -> tuple[Job, int | None]:
    """The job, and how many workers; the models that it was planned with are let go.

    Raises:
        SpecError: the table does not hold latents, or another generator's.
        StoreError: it is not there, or not complete.
    """
    latents, generator = open_with_generator(spec.latents, spec.generator)
    latents = choose(spec, latents, spec.labels)
    classifiers = labelling_refs(spec.classifiers, spec.attributes, Constants(generator, spec.calibration))
    runtime, rows_per_shard, workers = resolve(spec, "label", generator, *latents.size)
    layout, present = latents.lay_out(rows_per_shard, runtime.batch_size)
    stage = LabelStage(
        latents=latents,
        generator=Model(generator.name, generator.fingerprint),
        classifiers=classifiers,
        runtime=runtime,
    )
    attributes = canonical({name for ref in classifiers for name in ref.attributes})
    asked = {"attributes": attributes, "classifiers": families_said(classifiers)}
    facts = spec_facts(spec, runtime, rows_per_shard=layout.rows_per_shard, **asked, generator=generator.name)
    job = plan(
        spec, stage, layout, facts, latents=latents, generator=generator, families=families_of(classifiers),
        present=present, table_facts=labels_facts(classifiers),
    )  # fmt: skip
    return job, workers
