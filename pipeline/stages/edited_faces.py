"""The edited faces of photos: which faces of which photo, where they are in it, and the latents of their edits.

Shapes: N faces, R requests that are pasted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

import schemas
from pipeline.editors import EditRequest
from pipeline.errors import SpecError
from pipeline.models.codes import Codes, Space
from pipeline.stages.request_rows import read_requests
from pipeline.stages.source import check_kind
from pipeline.tables import Table, store
from pipeline.tables.manifest import is_made_by

GONE = -1
"""In place of a step: the edits have no row of this face."""
AS_IT_IS = 0


class EditedFace(NamedTuple):
    """number: of the face in its photo. quad_42: its square in the photo. aligned: the encoded picture. source: its
    code, of one row. edits: of each request the code, None where the face was not moved.
    """

    number: int
    quad_42: NDArray[np.float64]
    aligned: bytes
    source: Codes
    edits: tuple[Codes | None, ...]


@dataclass(frozen=True, eq=False)
class EditedFaces:
    """images, faces, photos: of `photos align`. latents: of `photos invert`. edits: of these latents. requests: those
    that are pasted, by number. index_N: of the faces in latents and edits; photo_N, number_N: the photo of each, and
    its number there; all rise together. step_NR: the step of each edit that is pasted, AS_IT_IS or GONE.
    """

    images: Table
    faces: Table
    photos: Table
    latents: Table
    edits: Table
    space: Space
    requests: Mapping[int, EditRequest]
    index_N: NDArray[np.int64] = field(repr=False)  # noqa: N815
    photo_N: NDArray[np.int64] = field(repr=False)  # noqa: N815
    number_N: NDArray[np.int64] = field(repr=False)  # noqa: N815
    step_NR: NDArray[np.int64] = field(repr=False)  # noqa: N815

    def of_photos(self, first: int, last: int) -> dict[int, list[EditedFace]]:
        """By photo, those of the photos from `first` to `last`, in the order of their numbers. Raises StoreError."""
        start, stop = np.searchsorted(self.photo_N, [first, last + 1])
        keys = ["index", "face_number"]
        pictures = self.images.read([*keys, "image"], indices=range(first, last + 1)).to_pylist()
        picture = {(row["index"], row["face_number"]): row["image"]["bytes"] for row in pictures}
        squares = self.faces.read([*keys, "quad"], indices=range(first, last + 1))
        places = zip(*(squares[name].to_pylist() for name in keys), strict=True)
        quad = dict(zip(places, schemas.to_numpy(squares["quad"]).astype(np.float64), strict=True))
        source, edited = self._codes(int(start), int(stop))
        found: dict[int, list[EditedFace]] = {}
        for place in range(start, stop):
            photo, number, index = (int(column[place]) for column in (self.photo_N, self.number_N, self.index_N))
            if (photo, number) not in picture or (photo, number) not in quad:
                raise SpecError(f"{self.images.url} has no picture of face {number} of photo {photo}, which was edited")
            edits = tuple(
                None if step <= AS_IT_IS else edited[index, request, step]
                for request, step in zip(self.requests, self.step_NR[place].tolist(), strict=True)
            )
            face = EditedFace(number, quad[photo, number], picture[photo, number], source[index], edits)
            found.setdefault(photo, []).append(face)
        return found

    def photo_digests(self, first: int, last: int) -> dict[int, str]:
        """sha256 of the file of each photo from `first` to `last`, as it was when its faces were aligned."""
        rows = self.photos.read(["index", "sha256"], indices=range(first, last + 1))
        return dict(zip(*(rows[name].to_pylist() for name in ("index", "sha256")), strict=True))

    def _codes(self, start: int, stop: int) -> tuple[dict[int, Codes], dict[tuple[int, int, int], Codes]]:
        """Of the faces [start, stop), one row each: the sources by index, the edits by index, request and step."""
        indices = range(int(self.index_N[start]), int(self.index_N[stop - 1]) + 1)
        kept = "w" if "w" in self.latents.schema.arrow.names else "ws"
        space: Space = "w" if kept == "w" else "w+"
        rows = self.latents.read(["index", kept], indices=indices)
        values = torch.from_numpy(schemas.to_numpy(rows[kept]).copy())
        source = {index: Codes(space, values[row : row + 1]) for row, index in enumerate(rows["index"].to_pylist())}
        columns = ["index", "request", "step", "latent"]
        rows = self.edits.read(columns, indices=indices)
        keys = zip(*(rows[name].to_pylist() for name in columns[:3]), strict=True)
        values = torch.from_numpy(schemas.to_numpy(rows["latent"]).copy())
        return source, {key: Codes(self.space, values[row : row + 1]) for row, key in enumerate(keys)}

    def __reduce__(self) -> tuple[Any, ...]:
        """For workers: without manifests."""
        light = [(one.url, one.schema, one.layout) for one in
                 (self.images, self.faces, self.photos, self.latents, self.edits)]  # fmt: skip
        arrays = (self.index_N, self.photo_N, self.number_N, self.step_NR)
        return _reopened, (light, self.space, self.requests, arrays)


def _reopened(tables: Sequence[tuple[Any, ...]], space: Space, requests: Any, arrays: Sequence[Any]) -> EditedFaces:
    images, faces, photos, latents, edits = (Table(*one) for one in tables)
    return EditedFaces(images, faces, photos, latents, edits, space, requests, *arrays)


def open_edited(aligned: str, inverted: str, edits: str, step: int | None = None) -> EditedFaces:
    """All faces that were aligned, inverted and edited, with what is known of them.

    aligned, inverted: the directories of `photos align` and `photos invert`. edits: the directory of `edit`, or its
    table. step: the last one that may be taken; None for the last of all.

    Raises:
        SpecError: they are not of each other, or the edits keep no step as early as `step`.
        StoreError: a table is not there, or not complete.
    """
    images, faces, photos = _of_one_job(aligned, ("images", "faces", "photos"))
    latents, inversions = _of_one_job(inverted, ("latents", "inversions"))
    check_kind(images, "face_images")
    if latents.require_sealed()["facts"]["resolved"].get("pictures_digest") != images.digest:
        raise SpecError(f"{latents.url} is not of the faces of {images.url}: name the directory that was inverted")
    table = _edits_at(edits)
    facts = table.require_sealed()["facts"]
    if facts["resolved"].get("latents_digest") != latents.digest:
        raise SpecError(f"{table.url} holds edits of other latents than {latents.url}: edit these latents")
    asked = Table(store.join(store.parent(table.url), "requests"))
    if not is_made_by(asked.require_sealed(), table.require_sealed()["fingerprint"]):
        raise SpecError(f"{asked.url} is not of the edits beside it: run the edit command again, which rewrites it")
    requests = read_requests(asked)
    steps = _steps(table, requests, step)
    where = inversions.read(["index", "photo", "face_number"]).to_pandas().set_index("index")
    if lost := sorted(set(steps.index) - set(where.index)):
        raise SpecError(f"{inversions.url} does not know row {lost[0]}, which was edited: invert these faces again")
    where = where.loc[steps.index]
    columns = (steps.index, where["photo"], where["face_number"], steps)
    arrays = [column.to_numpy(np.int64) for column in columns]
    return EditedFaces(images, faces, photos, latents, table, facts["spec"]["space"], requests, *arrays)


def _of_one_job(url: str, names: Sequence[str]) -> list[Table]:
    """The tables of these names in a directory. Raises SpecError where one job did not make them all."""
    tables = [Table.open(store.join(url, name)) for name in names]
    if len({table.require_sealed()["fingerprint"] for table in tables}) > 1:
        raise SpecError(f"{', '.join(table.url for table in tables)} are not of one job: make them again")
    return tables


def _edits_at(url: str) -> Table:
    table = Table.open(url if Table(url).parts() else store.join(url, "edits"))
    check_kind(table, "edits")
    return table


def _steps(edits: Table, requests: Mapping[int, EditRequest], last: int | None) -> pd.DataFrame:
    """By index, of each request the last step up to `last`; AS_IT_IS of a row that stands at its source."""
    rows = edits.read(["index", "request", "step", "strength"]).to_pandas()
    there = rows[rows["step"] <= last] if last is not None else rows
    if len(late := rows.merge(there[["index", "request"]], "left", indicator=True).query("_merge == 'left_only'")):
        first = late.iloc[0]
        raise SpecError(
            f"{edits.url} keeps no step up to {last} of row {first['index']}: leave out --step, or edit with --keep all"
        )
    ends = there.groupby(["index", "request"], sort=True).last().reset_index()
    until = ends["request"].map({number: request.until is not None for number, request in requests.items()})
    ends.loc[until & (ends["strength"] == 0), "step"] = AS_IT_IS  # it had reached the score before it was moved
    return ends.pivot(index="index", columns="request", values="step").reindex(columns=[*requests]).fillna(GONE)
