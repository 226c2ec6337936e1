"""What `stylemill photos edit` takes, before it is begun: each step is timed on a few photos, nothing is kept."""

import tempfile
import time
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import torch

import schemas
from jobs.flags import say
from jobs.photos.align import plan_align
from jobs.photos.edit_spec import PhotosEditSpec
from jobs.photos.invert import plan_invert
from jobs.reproduce.cost import Passes, seconds_a_face
from jobs.reproduce.faces import labelling_cost
from pipeline.editors import config_of
from pipeline.engine.derived import write_whole
from pipeline.engine.job_records import JobRecords
from pipeline.engine.stage import Task
from pipeline.models import generators
from pipeline.models.classifiers import attributes_of
from pipeline.photos import originals
from pipeline.photos.decode import Unreadable
from pipeline.report import wording
from pipeline.stages.photo_sources import SOURCES, Listing
from pipeline.tables import store

LOOKED_AT = 3
"""Photos that are aligned for that, spread over all."""
MADE_FOR_A_PASTE = 3
"""Passes of the generator that making a face at full size and looking at two of its pictures come to, about."""


class Timed(NamedTuple):
    """Seconds of a photo, and faces of one; `images` of those that were found."""

    align: float
    paste: float
    faces: float
    images: pa.Table


def say_cost(spec: PhotosEditSpec, photos: Listing) -> None:
    """How many photos and faces there are, and the hours that each step takes in one worker; nothing where the codes of
    some photos are there already. Raises as the plans of the steps."""
    known = "" if photos.size is None else f", {photos.size / 1e9:,.2f} GB"
    say(f"Plan  {len(photos):,} photos{known} -> {spec.out}")
    if JobRecords(spec.url("inverted"), "photos-invert").outcomes():
        say("      some are inverted already: each step says what is left")
        return
    if spec.device == "cuda" and not torch.cuda.is_available():
        say("      hours unknown: this machine has no GPU; run --dry-run on one that has")
        return
    timed = _timed(spec, photos)
    looked = min(LOOKED_AT, len(photos))
    if not timed.images.num_rows:
        say(f"      no face in {looked:,} photos that were looked at: hours unknown")
        return
    faces = timed.faces * len(photos)
    scored, alone, _ = seconds_a_face(spec.generator, (spec.classifiers, spec.judge), "cuda" if spec.on_gpu else "cpu")
    invert = _invert_seconds(spec, timed.images)
    edit = _edit_passes(spec).seconds(scored, alone)
    paste = timed.paste + timed.faces * len(spec.attribute) * MADE_FOR_A_PASTE * alone
    labelling = Passes()
    if config_of(spec.editor).TAKES_DIRECTIONS and spec.from_ is None:
        labelling = labelling_cost(spec, spec.labelled, attributes_of(spec.classifiers))
    total = len(photos) * (timed.align + paste) + faces * (invert + edit) + labelling.seconds(scored, alone)
    say(f"      about {faces:,.0f} faces, by {looked:,} photos that were looked at")
    each = {"aligned": (timed.align, "photo"), "inverted": (invert, "face"), "edited at most": (edit, "face"),
            "pasted": (paste, "photo")}  # fmt: skip
    say("      " + ", ".join(f"{what} {seconds:.2g} s a {unit}" for what, (seconds, unit) in each.items()))
    say(f"      about {wording.duration(total)} in one worker of this machine, as busy as it is now")


def _timed(spec: PhotosEditSpec, photos: Listing) -> Timed:
    """Photos are aligned, and read and written again as when they are pasted."""
    worker = plan_align(spec.aligned)[2].open()
    chosen = np.unique(np.linspace(0, len(photos) - 1, min(LOOKED_AT, len(photos))).round().astype(int)).tolist()
    images, paste, begun = [], 0.0, time.perf_counter()
    for place, index in enumerate(chosen):
        for batch in worker.run(Task(0, 1, index, index + 1)):
            rows = batch.tables["images"]
            rows = rows() if callable(rows) else rows
            images.append(rows.set_column(0, rows.schema.field("index"), pa.array([place] * len(rows), pa.int64())))
    align = (time.perf_counter() - begun) / len(chosen)
    for content in SOURCES[photos.kind].read(photos, chosen):
        begun = time.perf_counter()
        try:
            if not isinstance(content, Unreadable):
                originals.write(originals.read(content))
        except Unreadable:
            continue
        paste += (time.perf_counter() - begun) * len(spec.attribute) / len(chosen)
    together = pa.concat_tables(images)
    return Timed(align, paste, together.num_rows / len(chosen), together)


def _invert_seconds(spec: PhotosEditSpec, images: pa.Table) -> float:
    """Of a face."""
    with tempfile.TemporaryDirectory(prefix="stylemill-timed-") as folder:
        index = images["index"].to_numpy()
        images = images.set_column(
            0, images.schema.field("index"), pa.array(np.unique(index, return_inverse=True)[1], pa.int64())
        )
        write_whole(store.join(folder, "images"), schemas.face_images(), images, {"spec": {}, "resolved": {}}, "0" * 64)
        asked = spec.inverted.model_copy(update={"aligned": folder, "out": store.join(folder, "inverted")})
        stage = plan_invert(asked)[2]
        fixed, step = stage.open().timed()
        return fixed + stage.settings.steps * step


def _edit_passes(spec: PhotosEditSpec) -> Passes:
    """Of a face, in all attributes, with the pictures that are scored."""
    own = spec.config
    requests = [own.request(name, spec.preserve) for name in own.asked(spec.attribute)]
    generator = generators.load(spec.generator, backend="eager")
    forward, backward = own.passes(requests, generator)
    return Passes(forward + 2 * len(requests), backward)
