"""The page of edited photos: each face before, aligned, inverted, edited and pasted; what was rejected, and why."""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

import schemas
from pipeline.photos.decode import Unreadable, decode
from pipeline.report import photos as aligned_photos
from pipeline.report import pictures, provenance, study, wording
from pipeline.report.gather import read_run
from pipeline.tables import Table, store

VERBS = {"aligned": "photos-align", "inverted": "photos-invert", "edited": "edit", "pasted": "photos-paste"}
LEAD = "Faces of photos, edited in the latent space of a generator and pasted back into the photos."
SIDE = 192
AROUND = 0.35
"""Of the square of a face: how much of the photo is shown beside it."""
REJECTS_SHOWN = 48
IN_A_ROW = 8
KEY = ("index", "face_number")


@dataclass(frozen=True)
class Photos:
    """How many there are; by the number of one, its name, and its file or None where that cannot be read."""

    count: int
    name: Callable[[int], str]
    content: Callable[[int], bytes | None]


def write(
    url: str, photos: Photos, folders: Mapping[str, str], shown: int, command: str, commands: Sequence[str]
) -> str:
    """Write the page to `url` and return it. Equal tables and photos give an equal page.

    folders: of the steps, by the names of VERBS. shown: faces, the worst inversions first. commands: of the steps.

    Raises:
        StoreError: a table cannot be read.
    """
    notes: list[str] = []
    runs = {name: read_run(folders[name], verb, notes) for name, verb in VERBS.items()}
    inversions = _table(folders, "inverted", "inversions").read().to_pandas()
    inversions["distance"] = inversions[["lpips_alex", "lpips_vgg"]].astype("float64").mean(axis=1)
    inversions["unseen"] = inversions["identity_dlib"].isna()  # dlib sees no face in the photo
    worst = inversions.sort_values(["unseen", "distance", "index"], ascending=[False, False, True]).head(shown)
    pasted = _table(folders, "pasted", "pasted").read().to_pandas()
    rejects = {name: _rejects(folders[name], verb) for name, verb in VERBS.items()}
    sections = [
        study.Section("Faces", _sentences(len(inversions), len(worst)), list(_strips(photos, folders, worst, pasted))),
        *_rejected(photos, folders, rejects),
        study.Section("The same in steps", ["Each goes on where it stopped."], commands=commands),
        study.Section("Use", [aligned_photos.USE]),
    ]
    top = study.Top(
        {
            "photos": wording.count(photos.count),
            "faces inverted": wording.count(len(inversions)),
            "photos written": wording.count(len(pasted)),
            "rejected": wording.count(sum(map(len, rejects.values()))),
        },
        [*provenance.ended_badly([*runs.values()]), *(("warning", note) for note in notes)],
    )
    name = store.resolve(store.parent(url))[1].rstrip("/").rsplit("/", 1)[-1]
    facts = {"Command": command} | {
        f"Fingerprint, {name}": wording.anything(run.asked("fingerprint")) for name, run in runs.items()
    }
    facts |= provenance.networks([*runs.values()])
    return study.write(url, name, LEAD, sections, facts, top)


def _sentences(faces: int, shown: int) -> list[str]:
    found = [
        "From left to right: in the photo, aligned, as the generator makes it (inverted), edited, back in the photo. "
        "What the inverted picture does not show of a person is not in the edited one either: the mean of both "
        "perceptual distances (lpips) and dlib's distance of identity (below 0.6 for one person) say how near it is."
    ]
    if shown < faces:
        found.append(f"Of {faces:,} faces the {shown:,} worst inversions are shown.")
    found.append("The worst inversions come first, before them those of photos in which dlib sees no face.")
    return found


def _table(folders: Mapping[str, str], step: str, name: str) -> Table:
    return Table.open(store.join(folders[step], name))


def _strips(
    photos: Photos, folders: Mapping[str, str], worst: pd.DataFrame, pasted: pd.DataFrame
) -> Iterator[study.Strip]:
    """One for each face and request."""
    if not len(worst):
        return
    asked = _table(folders, "edited", "requests").read(["index", "attribute", "target"]).to_pylist()
    squares = _squares(folders, worst)
    images = _table(folders, "aligned", "images")
    aligned = pictures.of_faces(images, set(zip(worst["photo"], worst["face_number"], strict=True)))
    inverted = dict(pictures.read(_table(folders, "inverted", "images"), set(worst["index"])))
    edited, stops = _edited(folders, set(worst["index"]))
    files = {(row["index"], row["request"]): row for row in pasted.to_dict("records")}
    for row in worst.to_dict("records"):
        photo, number, index = row["photo"], row["face_number"], row["index"]
        name = photos.name(photo)
        box = squares[photo, number]
        before = _around(photos.content(photo), box)
        for one in asked:
            request = one["index"]
            written = files.get((photo, request))
            after = None if written is None else store.read_bytes(store.join(folders["pasted"], written["file"]))
            scores = {"lpips": f"{row['distance']:.3f}"}
            scores["identity"] = "no face seen" if row["unseen"] else f"{row['identity_dlib']:.2f}"
            looks = [
                study.Look(before, "before"),
                study.Look(_small(aligned.get((photo, number))), "aligned"),
                study.Look(_small(inverted.get(index)), "inverted", scores),
                study.Look(_small(edited.get((index, request))), "edited"),
                study.Look(_around(after, box), "pasted" if written is not None else "not pasted"),
            ]
            stop = stops.get((index, request), "rejected")
            yield study.Strip(f"{name}, face {number}: {one['attribute']} to {one['target']} ({stop})", looks)


def _squares(folders: Mapping[str, str], faces: pd.DataFrame) -> dict[tuple[int, int], NDArray[np.float64]]:
    """The quad of each face."""
    table, found = _table(folders, "aligned", "faces"), dict[tuple[int, int], NDArray[np.float64]]()
    for indices in pictures.near(sorted(set(faces["photo"]))):
        rows = table.read([*KEY, "quad"], indices=indices)
        keys = zip(*(rows[name].to_pylist() for name in KEY), strict=True)
        found |= dict(zip(keys, schemas.to_numpy(rows["quad"]).astype(np.float64), strict=True))
    return found


def _edited(
    folders: Mapping[str, str], wanted: set[int]
) -> tuple[dict[tuple[int, int], bytes], dict[tuple[int, int], str]]:
    """By index and request the picture of the last step, and why the edit ended there."""
    images, edits = (_table(folders, "edited", name) for name in ("edit_images", "edits"))
    looks, stops = {}, {}
    for indices in pictures.near(sorted(wanted)):
        for row in images.read(indices=indices).to_pylist():
            looks[row["index"], row["request"]] = row["image"]["bytes"]
        for row in edits.read(["index", "request", "step", "stop"], indices=indices).to_pylist():
            stops[row["index"], row["request"]] = row["stop"]
    return looks, stops


# -- rejects ----------------------------------------------------------------------------------------------------------


def _rejects(folder: str, verb: str) -> pd.DataFrame:
    table = Table(store.join(folder, "rejects", verb))
    return table.read().to_pandas() if table.parts() else pd.DataFrame({"index": [], "reason": [], "detail": []})


def _rejected(
    photos: Photos, folders: Mapping[str, str], rejects: Mapping[str, pd.DataFrame]
) -> Iterator[study.Section]:
    """A section for each step that rejected something, with pictures of what."""
    images = _table(folders, "aligned", "images")
    keys = images.read([*KEY])
    face_of = list(zip(*(keys[name].to_pylist() for name in KEY), strict=True))
    for name, rows in rejects.items():
        if not len(rows):
            continue
        counts = rows["reason"].value_counts().rename_axis("reason").to_frame("rows")
        looks = []
        some = rows.head(REJECTS_SHOWN)
        of_faces = name in ("inverted", "edited")
        aligned = pictures.of_faces(images, {face_of[index] for index in some["index"]}) if of_faces else {}
        for row in some.to_dict("records"):
            if of_faces:
                photo, number = face_of[row["index"]]
                picture = _small(aligned.get((photo, number)))
                words = f"{photos.name(photo)}, face {number}"
            else:
                picture, words = _small(photos.content(row["index"])), row["detail"].partition(": ")[0]
            looks.append(study.Look(picture, words, {row["reason"]: row["detail"].partition(": ")[2]}))
        strips = [study.Strip("", looks[first : first + IN_A_ROW]) for first in range(0, len(looks), IN_A_ROW)]
        what = "Faces" if of_faces else "Photos"
        yield study.Section(f"{what} not {name}", [], [study.Grid("By reason", counts), *strips])


# -- pictures ---------------------------------------------------------------------------------------------------------


def _around(content: bytes | None, quad_42: NDArray[np.float64]) -> bytes | None:
    """What a photo shows of a face and around it."""
    photo = _decoded(content)
    if photo is None:
        return None
    middle, half = quad_42.mean(axis=0), (0.5 + AROUND) * np.abs(quad_42 - quad_42.mean(axis=0)).max() * 2
    low = np.maximum(middle - half, 0).astype(int)
    high = np.minimum(middle + half, photo.size).astype(int)
    return _encoded(photo.crop((*low.tolist(), *high.tolist())))


def _small(content: bytes | None) -> bytes | None:
    photo = _decoded(content)
    return None if photo is None else _encoded(photo)


def _decoded(content: bytes | None) -> Image.Image | None:
    try:
        return None if content is None else Image.fromarray(decode(content).pixels)
    except Unreadable:
        return None


def _encoded(picture: Image.Image) -> bytes:
    picture = picture.copy()
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=80, method=4)
    return file.getvalue()
