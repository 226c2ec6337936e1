"""`stylemill photos paste`: edited faces back into the photos that they came from."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, Literal

import numpy as np
import tyro
from pydantic import Field

from jobs.flags import parse, say
from jobs.launch import launch
from jobs.locations import absolute
from jobs.options import RunFlags
from jobs.plan import plan
from jobs.resolve import resolve, spec_facts
from pipeline.engine.job import Job
from pipeline.engine.layout import cut_chosen
from pipeline.engine.stage import Task
from pipeline.engine.workers import GB, Load
from pipeline.errors import SpecError
from pipeline.models import generators
from pipeline.models.classifiers import parsing
from pipeline.photos.originals import Kept
from pipeline.stages.edited_faces import EditedFaces, open_edited
from pipeline.stages.models import Model, Truncated
from pipeline.stages.paste import FOLDER, PasteStage, Written
from pipeline.stages.photo_sources import SOURCES, Listing, list_photos

VERB = "photos-paste"
NOT_USED = "faces are made and pasted one at a time, and this flag decides nothing: leave it out"
PASTING = Load(1.5 * GB, 0, 4, threads=False)
"""By count: PyTorch and networks 0.7 GB, and three times the pixels of a photo of 50 megapixels."""
PER_SHARD = {"cpu": 32, "cuda": 128}
PASTED_AHEAD = 4
"""Photos that --dry-run pastes to measure the time, spread over all; nothing of them is kept."""


class PasteSpec(RunFlags):
    """Put edited faces back into the photos that they came from, at the photos' own size, under a soft mask, in the
    colours of the photo. Writes DIR/photos, a file for each photo and request, and the table DIR/pasted. No
    other pixel is changed. Colour profile and 16 bits are kept, the photos are upright.

    Faces are personal data, and an edited photo of a person is no photo: say so where you show it.

    Example: stylemill photos paste photos --aligned out/aligned --inverted out/inverted --edits out/smiles --out out/smiling
    """  # noqa: E501

    VERB = "photos paste"
    NOT_TAKEN: ClassVar[Mapping[str, str]] = dict.fromkeys(("batch_size", "threads", "backend", "precision"), NOT_USED)

    photos: tyro.conf.Positional[str] = Field(
        description=f"Where the photos are, as for align: {'; '.join(source.about for source in SOURCES.values())}.",
        json_schema_extra={"metavar": "DIR|FILE"},
    )
    aligned: str = Field(
        description="The directory of `photos align` of these photos.", json_schema_extra={"metavar": "DIR"}
    )
    inverted: str = Field(
        description="The directory of `photos invert` of these faces.", json_schema_extra={"metavar": "DIR"}
    )
    edits: str = Field(
        description="The directory of `edit` of these latents, or its table.", json_schema_extra={"metavar": "DIR"}
    )
    column: str | None = Field(None, description="Column of a Parquet table that has the photos, if several have.")
    step: int | None = Field(
        None, ge=0, description="Paste this step of each edit, or the last one before it. Default: the last."
    )
    format: Literal["jpeg", "png", "webp"] | None = Field(
        None, description="Format of the files. Default: that of the photo, and PNG where it is another than these."
    )
    exif: Kept = Field("strip", description="EXIF to keep: all, all but the place (strip), or none.")
    max_megapixels: float = Field(
        100, gt=0, le=170, description="Reject larger photos, of whose pixels none is read: memory."
    )
    networks: Literal["faces", "tiny"] = Field(
        "faces", description="Family whose face parser says where a face is; tiny is for tests."
    )


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    spec = parse(PasteSpec, argv)
    job, workers, stage = plan_paste(spec)
    code = launch(job, workers, spec)
    if spec.dry_run and code == 0:
        for line in foresee(stage):
            say(line)
    return code


def plan_paste(spec: PasteSpec) -> tuple[Job, int | None, PasteStage]:
    """The job, how many workers, and its stage.

    Raises:
        ModelFileError: a network has not been pulled.
        SpecError: photos, aligned and inverted faces and edits are not of each other.
        StoreError: a table is not there, or not complete.
    """
    photos = list_photos(absolute(spec.photos), spec.column)
    edited = open_edited(spec.aligned, spec.inverted, absolute(spec.edits), spec.step)
    _check_same_photos(spec, photos, edited)
    facts = edited.edits.require_sealed()["facts"]
    generator = generators.load(facts["spec"]["generator"], backend="eager")
    if generator.fingerprint != facts["resolved"]["generator_digest"]:
        raise SpecError(
            f"{edited.edits.url} was edited with another {generator.name} than the one installed here "
            f"({facts['resolved']['generator_digest'][:12]}, not {generator.fingerprint[:12]})"
        )
    parser = parsing.load(spec.networks)
    index = np.unique(edited.photo_N)
    runtime, rows_per_shard, workers = resolve(
        spec, VERB, None, len(index), load=PASTING, fewest=PASTING.start_units, most=PER_SHARD
    )
    layout, present = cut_chosen(index, rows_per_shard, 1)
    stage = PasteStage(
        listing=photos,
        edited=edited,
        generator=Model(generator.name, generator.fingerprint),
        truncated=Truncated(facts["spec"]["table_psi"], facts["spec"]["table_cutoff"]),
        parser=Model(spec.networks, parser.fingerprint),
        written=Written(spec.format and spec.format.upper(), spec.exif, round(spec.max_megapixels * 1e6)),
        runtime=runtime,
    )
    tables = {"images": edited.images, "latents": edited.latents, "edits": edited.edits}
    job = plan(
        spec, stage, layout, spec_facts(spec, runtime, PASTING, **layout.facts, source=photos.kind), verb=VERB,
        networks=[generator.name, *parser.networks], present=present, folders=(FOLDER,),
        digests={
            "photos_digest": photos.digest,
            **{f"{name}_digest": table.digest for name, table in tables.items()},
            "generator_digest": generator.fingerprint,
            "parser_digest": parser.fingerprint,
        },
        digested=("photos", "aligned", "inverted", "edits"),
    )  # fmt: skip
    return job, workers, stage


def _check_same_photos(spec: PasteSpec, photos: Listing, edited: EditedFaces) -> None:
    """Raise SpecError where the photos are not those whose faces were aligned."""
    if edited.images.require_sealed()["facts"]["resolved"].get("photos_digest") != photos.digest:
        raise SpecError(
            f"{spec.aligned} was made of other photos than are in {spec.photos} now: another source, or photos that "
            "came, went or were written since. Give the photos of `photos align`, as they were, or align these again"
        )


def foresee(stage: PasteStage) -> Iterator[str]:
    """What `--dry-run` tells: how many photos are written, and how long it takes, from a few of them."""
    photos, counts = np.unique(stage.edited.photo_N, return_counts=True)
    requests = len(stage.edited.requests)
    yield f"      {counts.sum():,} faces of {len(photos):,} photos; requests: {requests}"
    worker = stage.open()
    chosen = photos[np.unique(np.linspace(0, len(photos) - 1, min(PASTED_AHEAD, len(photos))).round().astype(int))]
    begun, rejected, size = time.perf_counter(), 0, 0
    for photo in chosen.tolist():
        for batch in worker.run(Task(0, 1, photo, photo + 1)):
            rejected += len(batch.rejects)
            size += sum(map(len, batch.files.values()))
    seconds = (time.perf_counter() - begun) / len(chosen)
    written = max(1, len(chosen) - rejected)
    yield f"      of {len(chosen):,} pasted now, {rejected:,} would be rejected"
    yield (
        f"      {seconds:.2f} s a photo: about {seconds * len(photos) / 3600:,.2f} hours of one worker, and "
        f"{size / written * len(photos) / 1e9:,.2f} GB of files"
    )
