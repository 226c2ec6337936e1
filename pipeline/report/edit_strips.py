"""Strips of edited faces: which faces are shown, their pictures in order, and the scores below them."""

import io
import math
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from pipeline.contact_sheet import square
from pipeline.report import pictures, study, wording
from pipeline.report.edit_means import Edits, in_order
from pipeline.tables import Table, store
from schemas.edits import JUDGE

FACES, STEPS = 8, 11
"""Faces whose pictures are shown unless --faces says otherwise, and how many of their steps at most."""


def strips(found: Edits, directory: str, faces: int = FACES) -> study.Section:
    """The section of pictures: a strip for each request and face, the source on the left. Raises StoreError."""
    images = Table(store.join(directory, "edit_images"))
    if not found.faces:
        return study.Section("Faces", ["No edit is here, and so no face is shown."])
    if not images.parts():
        return study.Section("Faces", ["No pictures were kept (--images)."])
    chosen = choose(found, images, faces)
    frame = _rows(found, images, sorted({index for held in chosen.values() for index in held}))
    keys = zip(frame["request"], frame["index"], strict=True)
    frame = frame[[index in chosen.get(request, ()) for request, index in keys]]
    shown = [its.iloc[_thinned(len(its))] for _, its in frame.groupby(["request", "index"])]
    side = pictures.side_of(sum(map(len, shown)))
    by_face = {(its["request"].iloc[0], its["index"].iloc[0]): its for its in shown}
    parts = [
        study.Strip(_caption(found, request, index), _looks(found, by_face[request, index], side))
        for request, indices in chosen.items()
        for index in indices
        if (request, index) in by_face
    ]
    return study.Section("Faces", list(_said(found, chosen, frame)), parts)


def choose(found: Edits, images: Table, faces: int) -> dict[int, list[int]]:
    """The faces of each request: the first that have pictures; where some go up and some down, as many of either as
    there are, up to half.
    """
    up: dict[int, list[int]] = {request: [] for request in found.requests}
    down: dict[int, list[int]] = {request: [] for request in found.requests}
    for shard in images.parts():
        held = images.read(["index", "request"], [shard])
        for index, request in dict.fromkeys(zip(*(held[n].to_pylist() for n in ("index", "request")), strict=True)):
            if request in up and (found.chosen is None or index in found.chosen):
                (down if (index, request) in found.down else up)[request].append(index)
        if all(_enough(up[request], down[request], faces, found.flips(request)) for request in found.requests):
            break
    return {request: _mixed(up[request], down[request], faces) for request in found.requests}


def _enough(up: Sequence[int], down: Sequence[int], faces: int, flips: bool) -> bool:
    return min(len(up), len(down)) >= faces if flips else len(up) >= faces


def _mixed(up: Sequence[int], down: Sequence[int], faces: int) -> list[int]:
    """So many of both, the first of either, up before down; one side fills what the other lacks."""
    half = math.ceil(faces / 2)
    ups = min(len(up), max(half, faces - len(down)))
    return [*up[:ups], *down[: faces - ups]]


def _rows(found: Edits, images: Table, wanted: list[int]) -> pd.DataFrame:
    """All kept steps of these faces, with the column `picture`."""
    columns = ["index", "request", "step", "strength", *found.scores]
    frames = []
    for shard, near in pictures.by_shard(images, wanted):
        shards = None if shard is None else [shard]
        rows = found.table.read(columns, shards, near).to_pandas()
        kept = images.read(["index", "request", "step", "image"], shards, near).to_pandas()
        frames.append(rows[rows["index"].isin(wanted)].merge(kept, on=["index", "request", "step"]))
    frame = pd.concat(frames, ignore_index=True)
    frame["picture"] = [image["bytes"] for image in frame.pop("image")]
    return frame


def _thinned(count: int) -> list[int]:
    """Places of at most STEPS of them, the first and the last among them."""
    return sorted(set(np.linspace(0, count - 1, min(count, STEPS)).round().astype(int).tolist()))


def _said(found: Edits, chosen: Mapping[int, Sequence[int]], frame: pd.DataFrame) -> Iterator[str]:
    shown = max(map(len, chosen.values()))
    flips = any(found.flips(request) for request in found.requests)
    which = "the first in each direction" if flips else "the first"
    if shown < found.faces:
        yield f"{shown} of {found.faces:,} faces, {which}; stylemill report --faces N shows another number."
    else:
        yield f"All {shown} faces." if shown > 1 else "The only face."
    ordered = "The source is on the left, then the steps of the edit"
    if not (frame["step"] == 0).any():
        ordered = "The source was not kept (stylemill edit --keep all keeps it); these are steps of the edit"
    yield f"{ordered}. Below each picture: the strength, and the scores there, those of what is edited in bold."
    for request in found.requests:
        if unscored := found.unscored(request):
            instead = found.in_place_of_all(request)
            shown_is = f": {instead}, which changes most, is shown instead" if instead else ""
            yield f"There is no score of {' and '.join(unscored)}{shown_is}."


def _caption(found: Edits, request: int, index: int) -> str:
    side = -1 if (index, request) in found.down else 1
    way = f", {found.way(side)}" if found.flips(request) else ""
    return f"{found.title(request)}: face {index}{way}"


def _looks(found: Edits, rows: pd.DataFrame, side: int) -> list[study.Look]:
    request = rows["request"].iloc[0]
    scores, bold = found.shown(request), [name.removeprefix(JUDGE) for name in found.bold(request)]
    told_apart = not rows.loc[rows["step"] > 0, "strength"].duplicated().any()
    return [
        study.Look(
            small(row["picture"], side),
            "source" if row["step"] == 0 else _named(row, told_apart, found.stages(request)),
            {name.removeprefix(JUDGE): wording.score(row[name]) for name in scores},
            bold,
        )
        for _, row in in_order(rows).iterrows()
    ]


def _named(row: pd.Series, told_apart: bool, stages: Sequence[str]) -> str:
    """What stands below the picture of a step: what it does where it is an edit of its own; its strength, or its number
    where strengths do not tell steps apart."""
    if stages:
        return stages[row["step"] - 1]
    return wording.score(row["strength"]) if told_apart else f"step {row['step']}"


def small(picture: bytes, side: int) -> bytes | None:
    """The picture as WebP; None where it does not decode."""
    image = pictures.decoded(picture, side)
    if image is None:
        return None
    buffer = io.BytesIO()
    square(image, min(side, *image.size)).save(buffer, "WEBP", quality=80, method=4)
    return buffer.getvalue()
