"""`stylemill dataset`: sample faces, label them, keep latents, labels and pictures."""

from collections.abc import Sequence

from jobs.classifiers import LabellingFlags, labelling
from jobs.flags import parse
from jobs.launch import launch
from jobs.options import PictureFlags, RowFlags, note_psi
from jobs.plan import plan
from jobs.resolve import FACES, resolve, spec_facts
from pipeline.engine.job import Job
from pipeline.engine.layout import cut
from pipeline.models import generators
from pipeline.stages.dataset import DatasetStage
from pipeline.stages.models import Model
from pipeline.stages.pictures import NO_PICTURES


class DatasetSpec(PictureFlags, LabellingFlags, RowFlags):
    """Sample faces, label them, and write DIR/latents, DIR/labels and DIR/images.

    With several --classifiers, DIR/labels is the table of the first family, DIR/labels_FAMILY that of each further one.

    Example: stylemill dataset --rows 64 --seed 1 --images jpeg --size 512 --out out/faces
    """

    VERB = "dataset"


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    spec = parse(DatasetSpec, argv)
    return run_dataset(spec)


def run_dataset(spec: DatasetSpec) -> int:
    """Plan the job that the spec asks for and run it."""
    return launch(*plan_dataset(spec), spec)


def plan_dataset(spec: DatasetSpec) -> tuple[Job, int | None]:
    """The job and the number of workers. The models that it was planned with are released."""
    note_psi("--psi", spec.psi)
    generator = generators.load(spec.generator, backend="eager")
    labels = labelling(spec, generator)
    keep = spec.pictures(generator)
    runtime, rows_per_shard, workers = resolve(spec, "dataset", generator, len(spec.indices))
    stage = DatasetStage(
        generator=Model(spec.generator, generator.fingerprint),
        classifiers=labels.refs,
        seed=spec.seed,
        psi=spec.psi,
        cutoff=generator.check_cutoff(spec.cutoff),
        keep=keep,
        shape=(generator.num_ws, generator.w_dim),
        runtime=runtime,
    )
    layout = cut(len(spec.indices), rows_per_shard, runtime.batch_size, spec.indices.start)
    facts = spec_facts(spec, runtime, FACES, **layout.facts, **labels.facts, **(keep.facts if keep else NO_PICTURES))
    job = plan(
        spec, stage, layout, facts, generator=generator, families=labels.families, grows=True,
        table_facts=labels.table_facts,
    )  # fmt: skip
    return job, workers
