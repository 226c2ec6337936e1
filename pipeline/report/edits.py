"""The page of edited faces: each row of strengths with its pictures, the scores along it, and the means of all rows."""

import io
import math
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from PIL import Image

from pipeline.report import gather, provenance, study, wording
from pipeline.report.contact_sheet import square
from pipeline.report.edit_means import Branch, Edits
from pipeline.report.pictures import BUDGET_BYTES, BYTES_PER_PIXEL, SIDES
from pipeline.tables import Table, store
from schemas.edits import JUDGE

FACES, STEPS = 3, 11
"""Faces whose pictures are shown, and how many of their steps at most."""
LEAD = (
    "Faces moved along directions in latent space. A score is 0 at the boundary, in standard deviations over the "
    "calibration faces."
)
ON_USING_THEM = (
    "A generator of faces has learned from photographs of real people, who were not asked about this use of them. Do "
    "not present a face that it makes as a person who exists, and get consent before you edit anybody's photograph.",
    "A score is what one network makes of one picture: male is nobody's gender, old is nobody's age. Do not use such "
    "networks on people to decide anything about them.",
)


def write(directory: str, url: str, title: str | None = None) -> str:
    """Write the page of DIR/edits to `url` and return it. Equal tables give an equal page.

    Raises:
        StoreError: a table cannot be read.
    """
    found = Edits.read(directory)
    numbers = [_section(found, branch) for branch in found.branches]
    sections = [*_strips(found, directory), *numbers, study.Section("On using them", ON_USING_THEM)]
    name = store.resolve(directory)[1].rstrip("/").rsplit("/", 1)[-1]
    return study.write(url, title or name, LEAD, sections, _facts(found, directory))


def _section(found: Edits, branch: Branch) -> study.Section:
    along, halves, rows = found.along(branch), found.spread(branch), found.count(branch)
    stops = ", ".join(f"{count:,} {stop}" for stop, count in found.stops[branch].most_common())
    curves = []
    for judged, whose in ((False, "the classifiers that edit and label"), (True, "the judge")):
        names = [name for name in found.scores if name.startswith(JUDGE) == judged]
        if names:
            lines = {name.removeprefix(JUDGE): _line(along, halves, name) for name in names}
            curves.append(study.Curves(f"Mean scores by {whose}, 95 % intervals", "strength", "score", lines))
    cells = {
        name: [_cell(along.loc[step, name], halves.loc[step, name]) for step in along.index] for name in found.scores
    }
    places = ["source" if step == 0 else f"step {step}" for step in along.index]
    numbers = {"strength": along["strength"].round(4).to_numpy(), "faces": rows[along.index].astype(int).to_numpy()}
    frame = pd.DataFrame({**numbers, **cells}, index=places)
    grid = study.Grid("Mean scores" if found.scores else "Mean strength; no scores were kept (--scores)", frame)
    sentences = [f"How the edits ended: {stops}."]
    if rows.nunique() > 1:
        sentences.append("Faces end at steps of their own: the numbers of a step are of the faces that have it.")
    return study.Section(found.heading(branch), sentences, [*curves, grid])


def _line(along: pd.DataFrame, halves: pd.DataFrame, name: str) -> pd.DataFrame:
    half = halves[name].reindex(along.index).fillna(0.0)
    y = along[name]
    return pd.DataFrame({"x": along["strength"], "y": y, "low": y - half, "high": y + half})


def _cell(mean: float, half: float) -> str:
    return wording.score(mean) + (f" ± {half:.2f}" if math.isfinite(half) else "")


# -- pictures ---------------------------------------------------------------------------------------------------------


def _strips(found: Edits, directory: str) -> list[study.Section]:
    """The first faces of the table, a row of strengths for each request."""
    images = Table(store.join(directory, "edit_images"))
    if not images.parts():
        return [study.Section("Faces", ["No pictures were kept (--images)."])]
    frame = pd.concat(_faces(found, images), ignore_index=True)
    side = _side(len(frame))
    parts = []
    for request in found.requests:
        for index in sorted(frame["index"].unique()):
            rows = frame[(frame["request"] == request) & (frame["index"] == index)]
            rows = rows.sort_values("strength", kind="stable")
            shown = [(_small(row["picture"], side), _below(row, found.shown(request))) for _, row in rows.iterrows()]
            parts.append(study.Strip(f"{found.title(request)}: face {index}", shown))
    return [study.Section("Faces", ["Strength, and the scores there."], parts)]


def _faces(found: Edits, images: Table) -> Iterator[pd.DataFrame]:
    """Rows of the first faces that have pictures, their steps thinned out, with the column `picture`."""
    for shard in images.parts():
        held = images.read(["index"], [shard])["index"].unique().to_pylist()[:FACES]
        if not held:
            continue
        near = range(held[0], held[-1] + 1)
        columns = ["index", "request", "step", "strength", *found.scores]
        rows = found.table.read(columns, [shard], near).to_pandas()
        pictures = images.read(["index", "request", "step", "image"], [shard], near).to_pandas()
        rows = rows.merge(pictures, on=["index", "request", "step"])
        rows["picture"] = [image["bytes"] for image in rows["image"]]
        rows = rows[rows["index"].isin(held)].drop(columns="image")
        for _, its in rows.groupby(["request", "index"]):
            yield its.iloc[_thinned(len(its))]
        return


def _thinned(count: int) -> Sequence[int]:
    """Places of at most STEPS of them, the first and the last among them."""
    return sorted(set(np.linspace(0, count - 1, min(count, STEPS)).round().astype(int).tolist()))


def _side(count: int) -> int:
    """The largest size that so many pictures can have."""
    return next((side for side in SIDES if count * side * side * BYTES_PER_PIXEL <= BUDGET_BYTES), SIDES[-1])


def _small(picture: bytes, side: int) -> bytes:
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(picture)) as image:
        square(image, min(side, *image.size)).save(buffer, "WEBP", quality=80, method=4)
    return buffer.getvalue()


def _below(row: pd.Series, scores: Sequence[str]) -> str:
    words = "source" if row["step"] == 0 else wording.score(row["strength"])
    return ", ".join([words, *(f"{name.removeprefix(JUDGE)} {wording.score(row[name])}" for name in scores)])


# -- where it comes from ----------------------------------------------------------------------------------------------


def _facts(found: Edits, directory: str) -> dict[str, str]:
    """The spec of the job that edited, and its networks with their licences."""
    notes: list[str] = []
    run = gather.read_run(directory, "edit", notes)
    sealed = found.table.manifest() is not None
    facts = {
        "Complete": "yes" if sealed else "no: the same edit command runs what is left",
        "Faces": f"{int(found.rows.groupby(['request', 'step']).sum().max()):,}" if len(found.rows) else "0",
        **{name.capitalize(): wording.anything(run.asked(name)) for name in ("generator", "editor", "space")},
        "Fingerprint": wording.anything(run.asked("fingerprint")),
        "Latents": wording.anything(run.asked("latents_digest")),
        "Directions": wording.anything(run.asked("directions_digest")),
        "Set aside": wording.count(int(run.rejects["rows"].sum())),
    }
    for used in provenance.weights_of([run]):
        facts[used.name] = f"{used.what}; {used.source}; {used.licence}; {used.citation}" + (
            f"; non-commercial: {used.reason or 'yes'}" if used.noncommercial else ""
        )
    return facts
