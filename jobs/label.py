"""`stylemill label`: scores of the faces of a latents table, by one family of classifiers or several."""

from collections.abc import Sequence

from pydantic import Field

from jobs.choice import LabelledChoice, choose
from jobs.classifiers import LABELLING, families_said, family_digests, labelling_refs, labels_facts
from jobs.constants import CalibrationFlag, Constants, about
from jobs.flags import Names, parse
from jobs.latents import open_with_generator
from jobs.launch import command, launch, versions
from jobs.options import ATTRIBUTES_HELP, DEFAULT_ATTRIBUTES, LATENTS, RunFlags, canonical
from jobs.resolve import resolve, spec_facts
from jobs.weights import used
from pipeline.engine.job import Job
from pipeline.stages.label import LabelStage
from pipeline.stages.models import Model


class LabelSpec(LabelledChoice, CalibrationFlag, RunFlags):
    """Make the faces of a sealed latents table once more, score them, and write DIR/labels.

    With several --classifiers, DIR/labels is of the first family and DIR/labels_FAMILY of each further one.

    Example: stylemill label --latents out/faces/latents --classifiers judge --out out/faces-judged
    """

    VERB = "label"

    latents: Names = Field(min_length=1, description=LATENTS)

    attributes: Names = Field(DEFAULT_ATTRIBUTES, min_length=1, description=ATTRIBUTES_HELP)
    classifiers: Names = LABELLING
    generator: str | None = Field(None, description="Default: the one that the latents table names.")


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
    own = spec_facts(spec, runtime, rows_per_shard=layout.rows_per_shard, **asked)
    del own["latents"], own["labels"]  # digests say which table and rows; where they lie decides nothing
    job = Job(
        verb="label",
        out=spec.out,
        stage=stage,
        layout=layout,
        present=present,
        spec={**own, **latents.choice, "generator": generator.name},
        resolved={
            "latents_digest": latents.digest,
            "generator_digest": generator.fingerprint,
            **family_digests(classifiers),
        },
        table_facts=labels_facts(classifiers),
        versions=versions(),
        command=command(),
        weights=used(generator.name, *(name for ref in classifiers for name in ref.weights)),
        about=about(generator, *classifiers),
    )
    return job, workers
