"""`stylemill photos invert`: codes of a generator whose faces are those of your photos."""

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from typing import Any, Literal

import tyro
from pydantic import Field, model_validator

import schemas
from jobs.classifiers import classifier_ref
from jobs.constants import CalibrationFlag, Constants, about
from jobs.flags import Names, parse, say
from jobs.launch import launch
from jobs.locations import absolute
from jobs.options import GENERATOR, OR_A_FILE, PictureFlags, RunFlags
from jobs.plan import plan
from jobs.resolve import GRADIENTS, is_elsewhere, resolve, spec_facts
from pipeline.engine.job import Job
from pipeline.engine.job_records import JobRecords
from pipeline.engine.layout import cut
from pipeline.errors import SpecError
from pipeline.models import generators
from pipeline.models.classifiers.attributes import DEFAULT_ATTRIBUTES
from pipeline.models.generators import Generator
from pipeline.photos import likeness
from pipeline.photos.inversion import Settings
from pipeline.photos.inversion_quality import Gate
from pipeline.photos.prior import check_space
from pipeline.stages import kept_artifacts
from pipeline.stages.encoders import find_encoder, read_encoder
from pipeline.stages.invert import InvertStage
from pipeline.stages.kept_artifacts import ENCODER
from pipeline.stages.models import ArtifactRef, Model
from pipeline.stages.pictures import NO_PICTURES
from pipeline.tables import Artifact, Table, store

VERB = "photos-invert"
IMAGES = "images"
PER_SHARD = {"cpu": 8, "cuda": 256}
"""Some minutes of work, lost when a worker is."""
PACKAGES = ("scipy", "scikit-image", "dlib-bin")
"""Whose versions can move numbers, besides those of every job."""
FEWEST = 10
"""Steps that a budget buys at least."""
DEFAULTS = Settings()


class InvertSpec(CalibrationFlag, PictureFlags, RunFlags):
    """Find a code in w+ for each aligned face, which a generator makes into nearly the same picture. Writes
    DIR/latents, which edit takes, and DIR/inversions: how alike both pictures are, by networks that were followed and
    by others.
    Faces that come out unlike their photo are rejected with the reason.

    Faces are personal data: take photos of people who agreed to it, or that you have a right to use so.

    Example: stylemill photos invert out/aligned --images webp --out out/inverted
    """

    VERB = "photos invert"

    aligned: tyro.conf.Positional[str] = Field(
        description="DIR of stylemill photos align. A path or any fsspec URL.", json_schema_extra={"metavar": "DIR"}
    )
    generator: str = Field("mobilestylegan-ffhq", description=GENERATOR)
    start: Literal["encoder", "mean"] | None = Field(
        None, description="Where codes start: encoder, or mean, the mean face. Default: encoder where there is one."
    )
    encoder: str | None = Field(
        None, description="DIR/artifact of stylemill train encoder. Default: that of the repository for the generator.",
        json_schema_extra={"metavar": "DIR"},
    )  # fmt: skip
    steps: int | None = Field(
        None, ge=1, le=100_000, description=f"Steps of the descent for a face. Default: {DEFAULTS.steps}."
    )
    budget: float | None = Field(
        None, gt=0, allow_inf_nan=False,
        description="Seconds for a face, in place of --steps: some are timed here once, and their number is kept.",
    )  # fmt: skip
    in_w: float = Field(DEFAULTS.in_w, ge=0, le=1, description="Share of the steps in w; the others are in w+.")
    step_size: float = Field(
        DEFAULTS.step_size, gt=0, allow_inf_nan=False, description="Of Adam in w+, in standard deviations."
    )
    step_size_w: float = Field(
        DEFAULTS.step_size_w, gt=0, allow_inf_nan=False, description="Of Adam in w, in standard deviations."
    )
    until: float | None = Field(
        None, ge=0, allow_inf_nan=False, description="Stop a face at this perceptual distance (--trunk)."
    )
    trunk: Literal["alex", "vgg"] = Field(
        "alex", description="Trunk of the perceptual distance that is followed; the other one only measures."
    )
    background: float = Field(
        DEFAULTS.background, ge=0, le=1, description="What a place outside the face counts, one in it counting 1."
    )
    lambda_pixel: float = Field(DEFAULTS.lambda_pixel, ge=0, allow_inf_nan=False, description="Weight of pixels.")
    lambda_identity: float = Field(
        DEFAULTS.lambda_identity, ge=0, allow_inf_nan=False, description="Weight of identity (fr-feature)."
    )
    lambda_prior: float = Field(
        DEFAULTS.lambda_prior, ge=0, allow_inf_nan=False,
        description="Weight of the Mahalanobis distance of w from its mean.",
    )  # fmt: skip
    lambda_spread: float = Field(
        DEFAULTS.lambda_spread, ge=0, allow_inf_nan=False, description="Weight of how far the rows of w+ are apart."
    )
    max_lpips: float = Field(
        0.2, gt=0, allow_inf_nan=False, description="Reject a face with a larger perceptual distance (--trunk)."
    )
    max_identity_dlib: float = Field(
        0.6,
        gt=0,
        allow_inf_nan=False,
        description="Reject a face that dlib takes for another person's: a larger distance.",
    )
    attributes: Names = Field(
        DEFAULT_ATTRIBUTES, min_length=1, description="Attributes of which it is said whether both pictures agree."
    )
    classifiers: str = Field("faces", description=f"Family of classifiers that sees them, {OR_A_FILE}.")
    networks: Literal["fr", "tiny"] = Field(
        "fr", description="fr: the networks that compare faces. tiny: compares small pictures, for tests."
    )

    @model_validator(mode="after")
    def _one_length(self) -> "InvertSpec":
        if self.steps is not None and self.budget is not None:
            raise ValueError("--budget decides the steps: leave out --steps")
        if self.start == "mean" and self.encoder is not None:
            raise ValueError("--start mean needs no encoder: leave out --encoder")
        return self

    def settings(self, steps: int) -> Settings:
        """Of the descent, for so many steps."""
        own = type(self).model_fields.keys() & {field.name for field in fields(Settings)}
        return replace(DEFAULTS, **{**{name: getattr(self, name) for name in own}, "steps": steps})


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    spec = parse(InvertSpec, argv)
    job, workers, stage = plan_invert(spec)
    code = launch(job, workers, spec)
    if spec.dry_run and code == 0 and not is_elsewhere(spec):
        for line in foresee(stage):
            say(line)
    return code


def plan_invert(spec: InvertSpec) -> tuple[Job, int | None, InvertStage]:
    """The job, how many workers, and its stage.

    Raises:
        ModelFileError: a network has not been pulled.
        SpecError: there are no aligned faces, or the generator has no w+.
        StoreError: the table of faces is not there, or not complete.
    """
    pictures = _open(spec.aligned)
    keys = pictures.read(["index", "face_number"])
    photo, face_number = (schemas.to_numpy(keys[name]) for name in ("index", "face_number"))
    if not len(photo):
        raise SpecError(f"{spec.aligned} has no aligned face: its rejects say why")
    generator = generators.load(spec.generator, backend="eager")
    check_space(generator)
    runtime, rows_per_shard, workers = resolve(
        spec, VERB, generator, len(photo), load=GRADIENTS, fewest=1, most=PER_SHARD,
        units=len(photo) * (spec.steps or DEFAULTS.steps),
    )  # fmt: skip
    seen = likeness.load(spec.networks, spec.trunk)
    classifiers = classifier_ref(spec.classifiers, spec.attributes, constants=Constants(generator, spec.calibration))
    keep, encoder = spec.pictures(generator), _encoder(spec, generator)
    stage = InvertStage(
        pictures=Table(pictures.url, pictures.schema, pictures.layout),
        photo=photo,
        face_number=face_number,
        generator=Model(generator.name, generator.fingerprint),
        likeness=Model(spec.networks, seen.fingerprint),
        trunk=spec.trunk,
        encoder=encoder,
        settings=spec.settings(spec.steps or DEFAULTS.steps),
        classifiers=classifiers,
        gate=Gate(spec.max_lpips, spec.max_identity_dlib),
        keep=keep,
        shape=(generator.num_ws, generator.w_dim),
        runtime=runtime,
    )
    steps = stage.settings.steps if spec.budget is None else _stored(spec, "steps") or _bought(spec, stage)
    stage = replace(stage, settings=spec.settings(steps))
    layout = cut(len(photo), rows_per_shard, runtime.batch_size)
    facts = spec_facts(spec, runtime, GRADIENTS, rows_per_shard=layout.rows_per_shard, generator=generator.name)
    facts = {
        **facts,
        **(keep.facts if keep else NO_PICTURES),
        "steps": steps,
        "start": "encoder" if encoder else "mean",
        "attributes": list(classifiers.attributes),
    }
    del facts["budget"]
    digests = {"pictures_digest": pictures.digest, "networks_digest": seen.fingerprint}
    job = plan(
        spec, stage, layout, facts, verb=VERB, generator=generator, networks=seen.networks,
        families={"classifiers": classifiers}, digested=("aligned", "encoder"), versions=PACKAGES,
        about={**about(generator, classifiers), "aligned": store.parent(pictures.url)},
        digests={**digests, **({"encoder_digest": encoder.digest} if encoder else {})},
    )  # fmt: skip
    return job, workers, stage


def foresee(stage: InvertStage) -> Iterator[str]:
    """What `--dry-run` tells: how long a face takes, from some steps on this machine."""
    fixed, step = stage.open().timed()
    steps, faces = stage.settings.steps, len(stage.photo)
    face = fixed + steps * step
    yield f"      {faces:,} faces, {steps:,} steps each: {step:.2f} s a step, {face:.1f} s a face"
    yield f"      about {faces * face / 3600:,.2f} hours of one worker"


def _bought(spec: InvertSpec, stage: InvertStage) -> int:
    """Steps that the budget buys."""
    assert spec.budget is not None
    if is_elsewhere(spec):
        raise SpecError("--budget is timed on this machine, and the work is done on others: give --steps")
    fixed, step = stage.open().timed()
    steps = max(FEWEST, int((spec.budget - fixed) / step))
    say(f"Note  --budget {spec.budget:g}: {steps:,} steps of {step:.2f} s, and {fixed:.1f} s besides")
    return steps


def _stored(spec: InvertSpec, name: str) -> Any:
    """A choice of the first start: a budget is turned into steps once, and codes go on to start where they did."""
    stored = None if spec.replace else JobRecords(spec.out, VERB).spec()
    return stored["spec"].get(name) if stored else None


def _encoder(spec: InvertSpec, generator: Generator) -> ArtifactRef | None:
    """What codes start from; None for the mean face. Raises SpecError where an encoder is asked for and none is kept,
    else as `read_encoder`.
    """
    start = spec.start or ("encoder" if spec.encoder else _stored(spec, "start"))
    url = None if start == "mean" else spec.encoder or find_encoder(generator)
    if url is None:
        if start == "encoder":
            raise SpecError(
                f"no encoder is kept for {generator.name}: stylemill train encoder --generator {generator.name} --out "
                "DIR trains one; then pass --encoder DIR/artifact, or --start mean"
            )
        if start is None:
            say(f"Note  no encoder is kept for {generator.name}: codes start from the mean face")
        return None
    read_encoder(url, generator)
    return ArtifactRef(url, ENCODER, Artifact(kept_artifacts.place(url)).digest)


def _open(aligned: str) -> Table:
    """The pictures that `photos align` kept. Raises SpecError where there are none of that kind."""
    url = store.join(absolute(aligned), IMAGES)
    table = Table(url)
    if not table.parts():
        raise SpecError(f"{aligned} has no table {IMAGES}: give the --out of stylemill photos align")
    table = Table.open(url)
    table.require_sealed()
    if table.schema.name != "face_images":
        raise SpecError(f"{url} is a table of {table.schema.name}, not of faces that stylemill photos align cut out")
    return table
