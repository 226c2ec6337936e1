"""Edited faces go back into the photos that they came from, and each photo becomes a file.

A row is a photo: a file of it for each request. Faces are made one at a time, so that no neighbour moves a bit of one.

Shapes: N pictures, S pixels of a face's picture, H and W of the photo.
"""

import hashlib
import io
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import label
from torch import Tensor

import schemas
from pipeline.editors import EditRequest
from pipeline.engine.stage import NOT_FINITE, RAISED, Batch, Reject, Task
from pipeline.errors import SpecError, StylemillError
from pipeline.models.backend import device_failed
from pipeline.models.classifiers.parser import CLASSES
from pipeline.models.codes import Codes
from pipeline.models.faces import SCORED_SIZE
from pipeline.photos import originals
from pipeline.photos.decode import UNSUPPORTED, Unreadable
from pipeline.photos.inversion import resized
from pipeline.photos.originals import Kept, Original
from pipeline.photos.paste import face_mask, paste
from pipeline.stages.edited_faces import EditedFace, EditedFaces
from pipeline.stages.microbatch import no_rows, trace_of
from pipeline.stages.models import Model, Runtime, Truncated, open_generator, open_scorer
from pipeline.stages.photo_sources import SOURCES, Listing
from pipeline.stages.photo_sources.source import CHANGED
from schemas import TableSchema

PASTED = "pasted"
FOLDER = "photos"
"""Of the files, in the job's directory."""
TOGETHER = 8
"""Photos whose faces are read at once."""
REMEMBERED = 8
"""Faces of a photo whose inverted picture, of 12 MB, is kept from request to request."""
LONGEST = 48
"""Characters of a photo's name in that of its file."""
NOT_FACE = ("background", "cloth", "necklace", "neck")
"""Classes of the parser that are left as they are in the photo."""
EXTENSIONS = {"JPEG": "jpg", "PNG": "png", "WEBP": "webp"}


@dataclass(frozen=True)
class Written:
    """How photos are written. format: JPEG, PNG or WEBP; None for the photo's own, where that is one of them. exif:
    what is kept of it. max_pixels: larger photos are not read.
    """

    format: str | None
    exif: Kept
    max_pixels: int


@dataclass(frozen=True, eq=False)
class PasteStage:
    """parser: the family whose face parser says where the face is."""

    listing: Listing
    edited: EditedFaces
    generator: Model
    truncated: Truncated
    parser: Model
    written: Written
    runtime: Runtime
    name: str = field(default="photos-paste", init=False)
    version: int = field(default=1, init=False)

    @property
    def outputs(self) -> Mapping[str, TableSchema]:
        return {PASTED: schemas.pasted()}

    def open(self) -> "PasteWorker":
        return PasteWorker(self)


class PasteWorker:
    """The stage with its networks open."""

    def __init__(self, stage: PasteStage) -> None:
        self.stage = stage
        self.generator = open_generator(stage.generator, stage.runtime)
        self.faces = open_scorer(self.generator, stage.runtime, [], truncated=stage.truncated, parser=stage.parser)
        self.names = names_of(stage.edited.requests)

    def run(self, task: Task) -> Iterator[Batch]:
        """A batch for each photo."""
        photos = np.unique(self.stage.edited.photo_N)
        photos = photos[task.wanted(photos)]
        contents = SOURCES[self.stage.listing.kind].read(self.stage.listing, photos.tolist())
        for first in range(0, len(photos), TOGETHER):
            some = photos[first : first + TOGETHER].tolist()
            faces = self.stage.edited.of_photos(some[0], some[-1])
            digests = self.stage.edited.photo_digests(some[0], some[-1])
            for photo in some:
                yield self._batch(photo, next(contents), digests[photo], faces[photo])

    def _batch(self, index: int, content: bytes | Unreadable, sha256: str, faces: Sequence[EditedFace]) -> Batch:
        name = self.stage.listing.between(index, index + 1)[0].name
        begun = time.perf_counter()
        try:
            if isinstance(content, Unreadable):
                raise content
            if hashlib.sha256(content).hexdigest() != sha256:
                raise Unreadable(CHANGED, "it is another file than the one whose faces were aligned")
            return self._written(index, name, content, faces)
        except Unreadable as error:
            reject = Reject(index, error.reason, f"{name}: {error}")
        except (StylemillError, MemoryError):
            raise
        except Exception as error:
            if device_failed(error):
                raise
            self._mask(self._made(Codes("w", self.generator.w_avg[None])))  # raises where no photo is the cause
            reject = Reject(index, RAISED, f"{name}: {type(error).__name__}: {error}", trace_of(error))
        return Batch(no_rows(self.stage.outputs), (reject,), {"photo_seconds": time.perf_counter() - begun})

    def _written(self, index: int, name: str, content: bytes, faces: Sequence[EditedFace]) -> Batch:
        """The photo once for each request."""
        written, requests = self.stage.written, self.stage.edited.requests
        files: dict[str, bytes] = {}
        rows: list[dict[str, object]] = []
        inverted: dict[int, Tensor] = {}
        seconds = {"decode_seconds": 0.0, "paste_seconds": 0.0, "encode_seconds": 0.0}
        for place, (request, asked) in enumerate(requests.items()):
            begun = time.perf_counter()
            photo = originals.read(content, written.exif, written.max_pixels)
            read = time.perf_counter()
            touched = {face.number: self._paste(photo, face, face.edits[place], inverted) for face in faces}
            pasted = time.perf_counter()
            try:
                file, format_ = originals.write(photo, written.format)
            except SpecError as error:  # of this photo: what it has, the format has not
                raise Unreadable(UNSUPPORTED, str(error)) from error
            height, width = photo.pixels_HWC.shape[:2]
            file_name = f"{FOLDER}/{index:09d}-{_safe(stem_of(name))}-{self.names[request]}.{EXTENSIONS[format_]}"
            files[file_name] = file
            rows.append(
                {
                    "index": index,
                    "request": request,
                    "attribute": asked.attribute,
                    "source": name,
                    "file": file_name,
                    "format": format_,
                    "width": width,
                    "height": height,
                    "faces": [number for number, pixels in touched.items() if pixels is not None],
                    "changed": min(1.0, sum(pixels or 0 for pixels in touched.values()) / (height * width)),
                    "bytes": len(file),
                    "sha256": hashlib.sha256(file).hexdigest(),
                }
            )
            seconds["decode_seconds"] += read - begun
            seconds["paste_seconds"] += pasted - read
            seconds["encode_seconds"] += time.perf_counter() - pasted
        columns = {field: [row[field] for row in rows] for field in rows[0]}
        columns["changed"] = np.array(columns["changed"], np.float32)  # type: ignore[assignment]
        return Batch({PASTED: schemas.pasted().rows(columns)}, (), seconds, files)

    def _paste(self, photo: Original, face: EditedFace, edit: Codes | None, inverted: dict[int, Tensor]) -> int | None:
        """Put one edited face into a photo; the pixels under its mask, None where the face was not moved.

        inverted: pictures of the sources by number, of some faces, for further requests.
        """
        if edit is None:
            return None
        aligned_3SS = _decoded(face.aligned)
        inverted_3SS = self._made(face.source) if face.number not in inverted else inverted[face.number]
        if len(inverted) < REMEMBERED:
            inverted[face.number] = inverted_3SS
        edited_3SS = self._made(edit)
        mask_SS = self._mask(aligned_3SS, edited_3SS)
        pictures = (aligned_3SS, inverted_3SS, edited_3SS)
        aligned_3SS, inverted_3SS, edited_3SS = (_in_its_colours(picture, photo) for picture in pictures)
        pasted = paste(photo.pixels_HWC, face.quad_42, aligned_3SS, inverted_3SS, edited_3SS, mask_SS)
        return int((pasted.shares_BV > 0).sum())

    @torch.no_grad()
    def _made(self, codes: Codes) -> Tensor:
        """(3, S, S) in [0, 1], on the CPU, as large as the generator makes it. Raises Unreadable."""
        s_1S = self.faces.styles(codes)
        x_3SS = self.generator.synthesize(Codes("s", s_1S))[0].float().cpu()
        if not torch.isfinite(x_3SS).all():
            raise Unreadable(NOT_FINITE, "the edited face has values that are not finite: edit less far")
        return ((x_3SS + 1) / 2).clamp(0, 1)

    def _mask(self, *pictures: Tensor) -> Tensor:
        """(S, S): how much of an edit is taken; of pictures (3, S, S) in [0, 1], where any of them has a face."""
        side = min(SCORED_SIZE, self.generator.resolution)
        x_N3SS = torch.stack([resized(picture[None], side)[0] for picture in pictures]) * 2 - 1
        probabilities_N19SS = self.faces.masks(x_N3SS.to(self.faces.device)).float().cpu()
        others = [CLASSES.index(name) for name in NOT_FACE]
        faces_NSS = 1 - probabilities_N19SS[:, others].sum(dim=1) > 0.5
        return face_mask(torch.stack([largest_patch(face_SS) for face_SS in faces_NSS]))


def largest_patch(face_SS: Tensor) -> Tensor:
    """The largest connected part of a mask: another person's face beside it is left alone."""
    patches, count = label(face_SS.numpy())
    if count < 2:
        return face_SS
    sizes = np.bincount(patches.ravel())
    return torch.from_numpy(patches == 1 + int(np.argmax(sizes[1:])))


def names_of(requests: Mapping[int, EditRequest]) -> dict[int, str]:
    """What each request is called in the names of files: its attribute, with its number where two have the same."""
    plain = {number: _safe(request.attribute) for number, request in requests.items()}
    several = [name for name in plain.values() if [*plain.values()].count(name) > 1]
    return {number: f"{name}-{number}" if name in several else name for number, name in plain.items()}


def stem_of(name: str) -> str:
    """A photo's name without directories and ending."""
    base = name.rstrip("/").rsplit("/", 1)[-1]
    return base.rpartition(".")[0] or base


def _safe(name: str) -> str:
    """Letters, digits, dots and dashes as they are, of any script; all else as _."""
    return "".join(one if one.isalnum() or one in ".-" else "_" for one in name)[:LONGEST] or "_"


def _decoded(content: bytes) -> Tensor:
    """(3, S, S) in [0, 1]."""
    pixels_SS3 = np.array(Image.open(io.BytesIO(content)).convert("RGB"), dtype=np.float32)
    return torch.from_numpy(pixels_SS3).movedim(2, 0) / 255


def _in_its_colours(picture_3SS: Tensor, photo: Original) -> Tensor:
    """A picture in sRGB, in the colours of the photo's profile."""
    if not photo.profile:
        return picture_3SS
    pixels_SS3: NDArray[np.uint8] = (picture_3SS * 255).round().to(torch.uint8).movedim(0, 2).contiguous().numpy()
    own = np.array(originals.in_profile(pixels_SS3, photo.profile), dtype=np.float32)
    return torch.from_numpy(own).movedim(2, 0) / 255
