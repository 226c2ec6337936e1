"""The page of aligned photos: some of the faces, how good all are, and why faces and photos were left out."""

import io
from collections.abc import Iterator

import numpy as np
import pandas as pd
from PIL import Image

from pipeline.report import gather, pictures, provenance, study, wording
from pipeline.tables import Table, store

VERB = "photos-align"
LEAD = "Faces found in photos, each cut out and turned upright as those of FFHQ are."
USE = (
    "Faces are personal data: use photos of people who agreed to it, or that you have a right to use so, and do not "
    "publish an edited picture of a person as if it were a photo."
)
SHOWN, IN_A_ROW, SIDE = 24, 8, 160
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
MEASURES = ("size", "score", "sharpness", "roll_degrees", "yaw_degrees")


def write(directory: str, url: str, title: str | None = None, shown: int | None = None, seed: int = 0) -> str:
    """Write the page of DIR/photos to `url` and return it. Equal tables give an equal page.

    shown: faces, at random by `seed`.

    Raises:
        StoreError: a table cannot be read.
    """
    notes: list[str] = []
    run = gather.read_run(directory, VERB, notes)
    photos, faces, images = (Table(store.join(directory, name)) for name in ("photos", "faces", "images"))
    sealed = photos.manifest() is not None
    names = photos.read(["index", "source"]).to_pandas().set_index("index")["source"] if photos.parts() else pd.Series()
    columns = ["index", "face_number", *MEASURES, "left_out"]
    found = faces.read(columns).to_pandas() if faces.parts() else pd.DataFrame(columns=columns)
    kept = found[found["left_out"] == ""]
    sections = [
        study.Section("Faces", [], list(_strips(images, kept, names, shown or SHOWN, seed))),
        *_quality(kept),
        *_left_out(found),
    ]
    if len(run.rejects):
        frame = run.rejects.set_index("reason").rename(columns={"rows": "photos", "first": "first photos"})
        said = "Files that are no photos, and photos without a face that was kept."
        sections.append(study.Section("Rejected photos", [said], [study.Grid("By reason", frame)]))
    sections.append(study.Section("Use", [USE]))
    state = ("good", "Complete") if sealed else ("warning", "Not complete: the same command runs what is left")
    top = study.Top(
        {
            "photos": wording.count(len(names)),
            "faces": wording.count(len(kept)),
            "left out": wording.count(len(found) - len(kept)),
            "rejected photos": wording.count(int(run.rejects["rows"].sum())),
        },
        [state, *provenance.ended_badly([run]), *(("warning", note) for note in notes)],
    )
    name = store.resolve(directory)[1].rstrip("/").rsplit("/", 1)[-1]
    return study.write(url, title or name, LEAD, sections, _facts(run), top)


def _strips(images: Table, kept: pd.DataFrame, names: pd.Series, shown: int, seed: int) -> Iterator[study.Strip]:
    """Faces at random, in rows, in the order of their photos."""
    chosen = kept.sample(min(shown, len(kept)), random_state=seed).sort_values(["index", "face_number"])
    wanted = set(zip(chosen["index"], chosen["face_number"], strict=True))
    found = pictures.of_faces(images, wanted)
    for first in range(0, len(chosen), IN_A_ROW):
        its = chosen.iloc[first : first + IN_A_ROW]
        looks = [
            study.Look(
                small(found.get((row["index"], row["face_number"]))),
                f"{row['index']} {names.get(row['index'], '')}",
                {"px": f"{row['size']:.0f}", "yaw": f"{row['yaw_degrees']:.0f}"},
            )
            for row in its.to_dict("records")
        ]
        yield study.Strip("Photo, pixels of a side of the square in it, yaw in degrees", looks)


def small(picture: bytes | None) -> bytes | None:
    """A picture as pages show it; None where it is none."""
    image = None if picture is None else pictures.decoded(picture, SIDE)
    if image is None:
        return None
    file = io.BytesIO()
    image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS).save(file, "WEBP", quality=80, method=4)
    return file.getvalue()


def _quality(kept: pd.DataFrame) -> Iterator[study.Section]:
    if len(kept):
        values = {
            wording.plain(name): np.quantile(kept[name].astype("float64"), QUANTILES).tolist() for name in MEASURES
        }
        frame = pd.DataFrame(values, index=[f"{quantile:.0%}" for quantile in QUANTILES]).T
        said = (
            "Size is the side of the square in the photo, in pixels; sharpness the variance of the Laplacian at 128 "
            "pixels; roll is clockwise, and yaw positive to the right of the picture."
        )
        yield study.Section("Quality", [said], [study.Grid("Kept faces: quantiles", frame)])


def _left_out(found: pd.DataFrame) -> Iterator[study.Section]:
    out = found[found["left_out"] != ""]
    if len(out):
        counts = out["left_out"].value_counts().rename_axis("reason").to_frame("faces")
        said = "Faces of photos that have another face that was kept."
        yield study.Section("Faces left out", [said], [study.Grid("By reason", counts)])


def _facts(run: gather.Run) -> dict[str, str]:
    """What was asked, and the networks with their licences."""
    asked = ("command", "source", "faces", "images", "size", "min_size", "min_score", "min_sharpness", "max_yaw")
    facts = {wording.plain(name).capitalize(): wording.anything(run.asked(name)) for name in asked}
    facts |= {"Photos": wording.anything(run.asked("photos_digest"))}
    facts |= {"Fingerprint": wording.anything(run.asked("fingerprint"))}
    return facts | provenance.networks([run])
