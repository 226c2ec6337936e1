"""`stylemill photos align`: faces of photos, aligned as generators of faces expect them."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np
import tyro
from pydantic import Field, field_validator

from jobs.flags import parse, say
from jobs.launch import launch
from jobs.locations import absolute
from jobs.options import RunFlags
from jobs.plan import plan
from jobs.resolve import resolve, spec_facts
from pipeline.engine.job import Job
from pipeline.engine.job_records import JobRecords
from pipeline.engine.layout import cut
from pipeline.engine.stage import Task
from pipeline.engine.workers import GB, Load
from pipeline.errors import OutputDiffers
from pipeline.photos import faces as finders
from pipeline.photos.quality import Gate
from pipeline.stages.align import AlignStage
from pipeline.stages.models import Model
from pipeline.stages.photo_sources import SOURCES, Listing, list_photos
from pipeline.stages.pictures import Keep

VERB = "photos-align"
NETWORKS: Mapping[str, tuple[str, ...]] = {"fr": ("fr-detect", "fr-landmark"), "tiny": ()}
LOOKING = Load(2.0 * GB, 0, 8, threads=False)
"""By count: PyTorch and networks 0.5 GB, a photo of 100 megapixels 0.3 GB, and twice the padded square of a face of
4096 pixels at the border, in 32 bits."""
PER_SHARD = {"cpu": 64, "cuda": 256}
LOOKED_AT = 8
"""Photos that are aligned for that, spread over all; nothing of them is kept."""
NOT_USED = "the faces of each photo are looked for by themselves, and this flag decides nothing: leave it out"


class AlignSpec(RunFlags):
    """Find the faces of photos and cut each out as the faces of FFHQ are, 1024 px a side. Writes DIR/images, DIR/faces
    (boxes, 68 points, the square of each face, its quality) and DIR/photos. Photos without a good face, and files that
    are no photos, are rejected with the reason.

    Faces are personal data: take photos of people who agreed to it, or that you have a right to use so.

    Example: stylemill photos align photos --out out/aligned
    """

    VERB = "photos align"
    NOT_TAKEN: ClassVar[Mapping[str, str]] = dict.fromkeys(("batch_size", "threads", "backend", "precision"), NOT_USED)

    photos: tyro.conf.Positional[str] = Field(
        description=f"Where the photos are: {'; '.join(source.about for source in SOURCES.values())}. A path or any "
        "fsspec URL.",
        json_schema_extra={"metavar": "DIR|FILE"},
    )
    column: str | None = Field(None, description="Column of a Parquet table that has the pictures, if several have.")
    faces: str = Field(
        "all", description="Faces of a photo to keep: all, largest, or a number of the largest.",
        json_schema_extra={"metavar": "all|largest|N"},
    )  # fmt: skip
    images: Literal["png", "jpeg", "webp"] = Field("png", description="Format of the aligned pictures.")
    size: int = Field(1024, ge=16, le=4096, description="Width and height of the aligned pictures, in pixels.")
    quality: int = Field(95, ge=1, le=100, description="Quality of JPEG and WebP pictures.")
    min_size: float = Field(
        128, ge=8, le=100_000, description="Leave out faces whose square has a smaller side in the photo, in pixels."
    )
    min_score: float = Field(0.7, ge=0, le=1, description="Leave out faces of which the detector is less sure.")
    min_sharpness: float = Field(
        20, ge=0, allow_inf_nan=False,
        description="Leave out blurred faces: variance of the Laplacian, the square reduced to 128 px.",
    )  # fmt: skip
    max_yaw: float = Field(60, ge=0, le=180, description="Leave out faces turned farther to a side, in degrees.")
    max_megapixels: float = Field(
        100, gt=0, le=170, description="Reject larger photos, of whose pixels none is read: memory."
    )
    networks: Literal["fr", "tiny"] = Field(
        "fr", description="fr: fr-detect and fr-landmark. tiny: finds magenta discs, for tests."
    )

    @field_validator("faces")
    @classmethod
    def _is_a_number(cls, text: str) -> str:
        if text not in ("all", "largest") and not (text.isascii() and text.isdigit() and 0 < int(text) < 10_000):
            raise ValueError("give all, largest, or a number from 1 to 9999")
        return text

    @property
    def most(self) -> int | None:
        """How many faces of a photo are kept at most; None for all."""
        return None if self.faces == "all" else 1 if self.faces == "largest" else int(self.faces)

    @property
    def gate(self) -> Gate:
        """What a face must be to be kept."""
        return Gate(self.min_size, self.min_score, self.min_sharpness, self.max_yaw)


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    spec = parse(AlignSpec, argv)
    job, workers, stage = plan_align(spec)
    code = launch(job, workers, spec)
    if spec.dry_run and code == 0:
        for line in foresee(stage):
            say(line)
    return code


def plan_align(spec: AlignSpec) -> tuple[Job, int | None, AlignStage]:
    """The job, how many workers, and its stage.

    Raises:
        ModelFileError: a network has not been pulled.
        OutputDiffers: the photos are others than at the first start.
        SpecError: there are no photos.
        StoreError: they cannot be listed.
    """
    photos = list_photos(absolute(spec.photos), spec.column)
    runtime, rows_per_shard, workers = resolve(
        spec, VERB, None, len(photos), load=LOOKING, fewest=LOOKING.start_units, most=PER_SHARD
    )
    finder = Model(spec.networks, finders.load(spec.networks).fingerprint)
    stage = AlignStage(
        listing=photos,
        finder=finder,
        gate=spec.gate,
        most=spec.most,
        keep=Keep(spec.images, spec.size, spec.quality),
        max_pixels=round(spec.max_megapixels * 1e6),
        runtime=runtime,
    )
    layout = cut(len(photos), rows_per_shard, 1)
    facts = spec_facts(spec, runtime, LOOKING, **layout.facts, **stage.keep.facts, source=photos.kind)
    digests = {"photos_digest": photos.digest, "networks_digest": finder.fingerprint}
    _check_same_photos(spec, photos)
    job = plan(
        spec, stage, layout, facts, verb=VERB, networks=NETWORKS[spec.networks], digests=digests, digested=("photos",)
    )
    return job, workers, stage


def _check_same_photos(spec: AlignSpec, photos: Listing) -> None:
    """Raise OutputDiffers where photos came, went or changed since the job was started."""
    job_records = JobRecords(spec.out, VERB)
    stored = None if spec.replace else job_records.spec()
    if stored is None or stored["resolved"].get("photos_digest") == photos.digest or not job_records.outcomes():
        return
    there, now = stored["spec"].get("rows", 0), len(photos)
    what = f"{there:,} photos then, {now:,} now" if there != now else "another name, size or time of writing"
    raise OutputDiffers(
        f"{spec.out} was made of other photos than are in {spec.photos} now ({what}): photos_digest differs. Give the "
        "photos of the first start, choose another --out, or pass --replace to make it again"
    )


def foresee(stage: AlignStage) -> Iterator[str]:
    """What `--dry-run` tells: how many faces are to be expected, and how long it takes, from a few photos."""
    photos, size = len(stage.listing), stage.listing.size
    known = "" if size is None else f", {size / 1e9:,.2f} GB"
    yield f"      {photos:,} photos{known}"
    worker = stage.open()
    chosen = np.unique(np.linspace(0, photos - 1, min(LOOKED_AT, photos)).round().astype(int)).tolist()
    begun, faces, rejected = time.perf_counter(), 0.0, 0
    for index in chosen:
        for batch in worker.run(Task(0, 1, index, index + 1)):
            faces += batch.counters.get("faces", 0.0)
            rejected += len(batch.rejects)
    seconds = (time.perf_counter() - begun) / len(chosen)
    yield (
        f"      of {len(chosen):,} looked at, {rejected:,} would be rejected; {faces:,.0f} faces: about "
        f"{faces / len(chosen) * photos:,.0f} in all"
    )
    yield f"      {seconds:.2f} s a photo: about {seconds * photos / 3600:,.2f} hours of one worker"
