"""Photos become aligned faces: decoded, looked through for faces, and each face cut out as FFHQ's are.

A row is a photo: it has one row in `photos`, a row for each face in `faces`, and a picture for each of these that the
gate lets through. A photo without such a face is rejected.
"""

import hashlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from PIL import Image

import schemas
from pipeline.engine.stage import RAISED, Batch, Reject, Rows, Task
from pipeline.errors import StylemillError
from pipeline.models.backend import device_failed
from pipeline.photos import faces as finders
from pipeline.photos import ffhq, quality
from pipeline.photos.decode import Photo, Unreadable, decode
from pipeline.photos.faces import Face
from pipeline.photos.quality import Gate, Quality
from pipeline.stages.microbatch import no_rows, trace_of
from pipeline.stages.models import Model, Runtime
from pipeline.stages.photo_sources import SOURCES, Listing
from pipeline.stages.pictures import EXTENSIONS, Keep
from schemas import TableSchema

NO_FACE = "no face"


@dataclass(frozen=True, eq=False)
class AlignStage:
    """finder: the networks, by the name of `pipeline.photos.faces.load`. most: faces of a photo that are kept, the
    largest; None for all. keep: how the pictures are kept, with their size in pixels.
    """

    listing: Listing
    finder: Model
    gate: Gate
    most: int | None
    keep: Keep
    max_pixels: int
    runtime: Runtime
    name: str = field(default="photos-align", init=False)
    version: int = field(default=1, init=False)

    @property
    def outputs(self) -> Mapping[str, TableSchema]:
        return {"images": schemas.face_images(), "faces": schemas.faces(), "photos": schemas.photos()}

    def open(self) -> "AlignWorker":
        return AlignWorker(self)


class AlignWorker:
    """The stage with its networks open."""

    def __init__(self, stage: AlignStage) -> None:
        self.stage = stage
        torch.set_num_threads(stage.runtime.threads)
        self.find = finders.load(stage.finder.name, stage.runtime.device)
        stage.finder.check(self.find.fingerprint)

    def run(self, task: Task) -> Iterator[Batch]:
        """A batch for each photo."""
        listing = self.stage.listing
        index = np.arange(task.first, task.stop)
        wanted = index[task.wanted(index)].tolist()
        contents = SOURCES[listing.kind].read(listing, wanted)
        for row, content in zip(wanted, contents, strict=True):
            yield self._batch(row, content)

    def _batch(self, index: int, content: bytes | Unreadable) -> Batch:
        name = self.stage.listing.between(index, index + 1)[0].name
        begun = time.perf_counter()
        try:
            if isinstance(content, Unreadable):
                raise content
            photo = decode(content, self.stage.max_pixels)
            return self._of_faces(index, name, content, photo)
        except Unreadable as error:
            return self._without(Reject(index, error.reason, f"{name}: {error}"), begun)
        except (StylemillError, MemoryError):
            raise
        except Exception as error:
            if device_failed(error):
                raise
            what = f"{name}: {type(error).__name__}: {error}"
            return self._without(Reject(index, RAISED, what, trace_of(error)), begun)

    def _without(self, reject: Reject, begun: float) -> Batch:
        return Batch(no_rows(self.stage.outputs), (reject,), {"photo_seconds": time.perf_counter() - begun})

    def _of_faces(self, index: int, name: str, content: bytes, photo: Photo) -> Batch:
        stage, begun = self.stage, time.perf_counter()
        image = Image.fromarray(photo.pixels)
        faces = [(face, quality.quality_of(image, face)) for face in self.find(photo.pixels)]
        reasons = stage.gate.chosen(faces, stage.most)
        if not faces:
            return self._without(Reject(index, NO_FACE, f"{name}: {photo.width} x {photo.height} pixels"), begun)
        if all(reasons):
            said = ", ".join(f"{reason} ({_described(*face)})" for reason, face in zip(reasons, faces, strict=True))
            return self._without(Reject(index, reasons[0], f"{name}: {said}"), begun)
        found = time.perf_counter()
        pictures = [
            {
                "bytes": stage.keep.encode(ffhq.aligned(photo.pixels, face.quad_42, stage.keep.size)),
                "path": f"{index:09d}-{number:02d}.{EXTENSIONS[stage.keep.format]}",
            }
            for number, (face, _) in enumerate(faces)
            if not reasons[number]
        ]
        tables: dict[str, Rows] = {
            "images": schemas.face_images().rows(
                {
                    "index": [index] * len(pictures),
                    "face_number": [number for number, reason in enumerate(reasons) if not reason],
                    "image": pictures,
                }
            ),
            "faces": schemas.faces().rows(_face_columns(index, faces, reasons)),
            "photos": schemas.photos().rows(_photo_columns(index, name, content, photo, reasons)),
        }
        now = time.perf_counter()
        counters = {"photo_seconds": found - begun, "align_seconds": now - found, "faces": float(len(pictures))}
        return Batch(tables, (), counters)


def _photo_columns(index: int, name: str, content: bytes, photo: Photo, reasons: list[str]) -> dict[str, object]:
    facts = {
        "index": index,
        "source": name,
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "format": photo.format,
        "mode": photo.mode,
        "orientation": photo.orientation,
        "width": photo.width,
        "height": photo.height,
        "profile": photo.profile,
        "frames": photo.frames,
        "faces": len(reasons),
        "kept": reasons.count(""),
    }
    return {column: [value] for column, value in facts.items()}


def _face_columns(index: int, faces: list[tuple[Face, Quality]], reasons: list[str]) -> dict[str, object]:
    boxes = np.stack([face.box for face, _ in faces]).astype(np.float32)
    return {
        "index": [index] * len(faces),
        "face_number": list(range(len(faces))),
        **{name: boxes[:, place] for place, name in enumerate(("left", "top", "right", "bottom"))},
        "score": _floats(face.score for face, _ in faces),
        "points": np.stack([face.points for face, _ in faces]).astype(np.float32),
        "quad": np.stack([face.quad_42 for face, _ in faces]).astype(np.float32),
        "size": _floats(face.side for face, _ in faces),
        "roll_degrees": _floats(ffhq.roll_of(face.quad_42) for face, _ in faces),
        "yaw_degrees": _floats(face.yaw_degrees for face, _ in faces),
        "sharpness": _floats(its.sharpness for _, its in faces),
        "inside": _floats(its.inside for _, its in faces),
        "left_out": reasons,
    }


def _floats(values: Iterator[float]) -> np.ndarray:
    return np.array(list(values), dtype=np.float32)


def _described(face: Face, its: Quality) -> str:
    return (
        f"{face.side:.0f} px, score {face.score:.2f}, yaw {face.yaw_degrees:.0f} degrees, "
        f"sharpness {its.sharpness:.0f}, {its.inside:.0%} inside"
    )
