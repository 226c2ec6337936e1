"""`stylemill dataset`: sample faces, label them, keep latents, labels and pictures."""

from collections.abc import Sequence

from pydantic import Field

from jobs.classifiers import LABELLING, families_of, families_said, labelling_refs, labels_facts
from jobs.constants import CalibrationFlag, Constants
from jobs.flags import Names, parse
from jobs.launch import launch
from jobs.options import ATTRIBUTES_HELP, DEFAULT_ATTRIBUTES, PictureFlags, RowFlags, canonical, note_psi
from jobs.plan import plan
from jobs.resolve import FACES, resolve, spec_facts
from pipeline.engine.job import Job
from pipeline.engine.layout import cut
from pipeline.models import generators
from pipeline.stages.dataset import DatasetStage
from pipeline.stages.models import Model
from pipeline.stages.pictures import NO_PICTURES


class DatasetSpec(PictureFlags, CalibrationFlag, RowFlags):
    """Sample faces, label them, and write DIR/latents, DIR/labels and DIR/images.

    With several --classifiers, DIR/labels is of the first family and DIR/labels_FAMILY of each further one.

    Example: stylemill dataset --rows 64 --seed 1 --images jpeg --size 512 --out out/faces
    """

    VERB = "dataset"

    attributes: Names = Field(DEFAULT_ATTRIBUTES, min_length=1, description=ATTRIBUTES_HELP)
    classifiers: Names = LABELLING


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    spec = parse(DatasetSpec, argv)
    return run_dataset(spec)


def run_dataset(spec: DatasetSpec) -> int:
    """Plan the job that the spec asks for and run it."""
    return launch(*plan_dataset(spec), spec)


def plan_dataset(spec: DatasetSpec) -> tuple[Job, int | None]:
    """The job, and how many workers; the models that it was planned with are let go."""
    note_psi("--psi", spec.psi)
    generator = generators.load(spec.generator, backend="eager")
    classifiers = labelling_refs(spec.classifiers, spec.attributes, Constants(generator, spec.calibration))
    keep = spec.pictures(generator)
    runtime, rows_per_shard, workers = resolve(spec, "dataset", generator, len(spec.indices))
    stage = DatasetStage(
        generator=Model(spec.generator, generator.fingerprint),
        classifiers=classifiers,
        seed=spec.seed,
        psi=spec.psi,
        cutoff=generator.check_cutoff(spec.cutoff),
        keep=keep,
        shape=(generator.num_ws, generator.w_dim),
        runtime=runtime,
    )
    layout = cut(len(spec.indices), rows_per_shard, runtime.batch_size, spec.indices.start)
    attributes = canonical({name for ref in classifiers for name in ref.attributes})
    asked = {"attributes": attributes, "classifiers": families_said(classifiers)}
    facts = {**spec_facts(spec, runtime, FACES, **layout.facts, **asked), **(keep.facts if keep else NO_PICTURES)}
    job = plan(
        spec, stage, layout, facts, generator=generator, families=families_of(classifiers), grows=True,
        table_facts=labels_facts(classifiers),
    )  # fmt: skip
    return job, workers
