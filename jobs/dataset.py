"""`stylemill dataset`: sample faces, label them, keep latents, labels and pictures."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from jobs.classifiers import LABELLING, families_said, family_digests, labelling_refs, labels_facts
from jobs.constants import CalibrationFlag, Constants, about
from jobs.flags import Names, parse
from jobs.launch import command, launch, versions
from jobs.options import ATTRIBUTES_HELP, DEFAULT_ATTRIBUTES, PSI_HELP, RowFlags, canonical, note_psi
from jobs.resolve import resolve, spec_facts
from jobs.weights import used
from jobs.workers import FACES
from pipeline.engine.job import Job
from pipeline.engine.layout import cut
from pipeline.models import generators
from pipeline.models.randomness import MAX_SEED
from pipeline.stages.dataset import DatasetStage
from pipeline.stages.models import Model
from pipeline.stages.pictures import NO_PICTURES, Keep


class DatasetSpec(CalibrationFlag, RowFlags):
    """Sample faces, label them, and write DIR/latents, DIR/labels and DIR/images.

    With several --classifiers, DIR/labels is of the first family and DIR/labels_FAMILY of each further one.

    Example: stylemill dataset --rows 64 --seed 1 --images jpeg --size 512 --out out/faces
    """

    VERB = "dataset"

    generator: str = Field("mobilestylegan-ffhq", description="A generator by name.")
    seed: int = Field(1, ge=0, le=MAX_SEED, description="With a row's number, decides that row and nothing else.")
    psi: float = Field(0.7, allow_inf_nan=False, description=f"Truncation: 1 is none, 0 the mean face; {PSI_HELP}.")
    cutoff: int | None = Field(None, ge=0, description="Truncate only this many first layers (w+ is kept then).")
    attributes: Names = Field(DEFAULT_ATTRIBUTES, min_length=1, description=ATTRIBUTES_HELP)
    classifiers: Names = LABELLING
    images: Literal["none", "png", "jpeg", "webp"] = Field("none", description="Pictures to keep.")
    size: int = Field(512, gt=0, description="Pixels of a side of the kept pictures.")
    quality: int = Field(95, ge=1, le=100, description="Of JPEG and WebP.")


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
    keep = None if spec.images == "none" else Keep(spec.images, generator.check_size(spec.size), spec.quality)
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
    own = spec_facts(spec, runtime, FACES, **layout.facts, **asked)
    job = Job(
        verb="dataset",
        out=spec.out,
        stage=stage,
        layout=layout,
        grows=True,
        spec={**own, **(keep.facts if keep else NO_PICTURES)},
        resolved={"generator_digest": generator.fingerprint, **family_digests(classifiers)},
        table_facts=labels_facts(classifiers),
        versions=versions(),
        command=command(),
        weights=used(generator.name, *(name for ref in classifiers for name in ref.weights)),
        about=about(generator, *classifiers),
    )
    return job, workers
