"""The page of inverted faces: photos beside what a generator makes of their codes, the least alike first."""

from collections.abc import Iterator, Mapping

import pandas as pd

from pipeline.report import gather, photos, pictures, provenance, study, wording
from pipeline.tables import Table, store

VERB = "photos-invert"
LEAD = "Faces of photos, each beside the face that a generator makes of the code that was found for it."
SHOWN, PAIRS_IN_A_ROW = 24, 4
MEASURES = ("lpips_alex", "lpips_vgg", "identity", "identity_dlib", "psnr", "ssim", "agreement", "steps")
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
ABOUT = (
    "lpips: perceptual distances, 0 for equal pictures. identity: the cosine of fr-feature's embeddings. "
    "identity_dlib: the distance of dlib's, below 0.6 for one person. agreement: the share of attributes on the same "
    "side in both. One trunk of lpips and fr-feature were followed; the others only measure."
)

Pictures = dict[tuple[int, int], bytes]


def write(directory: str, url: str, title: str | None = None, shown: int | None = None) -> str:
    """Write the page of DIR/inversions to `url` and return it. Equal tables give an equal page.

    shown: faces, those with the largest perceptual distance.

    Raises:
        StoreError: a table cannot be read.
    """
    notes: list[str] = []
    run = gather.read_run(directory, VERB, notes)
    table = Table(store.join(directory, "inversions"))
    columns = ["index", "photo", "face_number", *MEASURES, "differ"]
    found = table.read(columns).to_pandas() if table.parts() else pd.DataFrame(columns=columns)
    followed = f"lpips_{run.asked('trunk') or 'alex'}"
    worst = found.sort_values([followed, "index"], ascending=[False, True]).head(shown or SHOWN)
    sections = []
    if len(worst):
        before, after = _originals(run, worst, notes), _made(directory, worst)
        strips = list(_strips(worst, before, after, followed))
        sections.append(study.Section("Photo and inversion, the least alike first", [ABOUT], strips))
        sections.append(study.Section("Quality", [], [_quality(found)]))
    if len(run.rejects):
        frame = run.rejects.set_index("reason").rename(columns={"rows": "faces", "first": "first faces"})
        sections.append(study.Section("Rejected faces", [], [study.Grid("By reason", frame)]))
    sections.append(study.Section("Use", [photos.USE]))
    sealed = table.manifest() is not None
    state = ("good", "Complete") if sealed else ("warning", "Not complete: the same command runs what is left")
    top = study.Top(
        {"faces": wording.count(len(found)), "rejected": wording.count(int(run.rejects["rows"].sum()))},
        [state, *provenance.ended_badly([run]), *(("warning", note) for note in notes)],
    )
    name = store.resolve(directory)[1].rstrip("/").rsplit("/", 1)[-1]
    return study.write(url, title or name, LEAD, sections, _facts(run), top)


def _originals(run: gather.Run, worst: pd.DataFrame, notes: list[str]) -> Pictures:
    """The aligned pictures of these faces, where they still are."""
    aligned = run.asked("aligned")
    images = Table(store.join(str(aligned), "images"))
    if not aligned or not images.parts():
        notes.append(f"The aligned pictures are not at {aligned} any more")
        return {}
    return pictures.of_faces(images, set(zip(worst["photo"], worst["face_number"], strict=True)))


def _made(directory: str, worst: pd.DataFrame) -> Mapping[int, bytes]:
    """The generator's pictures of these faces, where they were kept."""
    images = Table(store.join(directory, "images"))
    return dict(pictures.read(images, set(worst["index"]))) if images.parts() else {}


def _strips(worst: pd.DataFrame, before: Pictures, after: Mapping[int, bytes], by: str) -> Iterator[study.Strip]:
    for first in range(0, len(worst), PAIRS_IN_A_ROW):
        looks = []
        for row in worst.iloc[first : first + PAIRS_IN_A_ROW].to_dict("records"):
            numbers = {"lpips": f"{row[by]:.3f}", "identity": f"{row['identity']:.2f}"}
            original = before.get((row["photo"], row["face_number"]))
            looks.append(study.Look(photos.small(original), f"photo {row['photo']}, face {row['face_number']}", {}))
            looks.append(study.Look(photos.small(after.get(row["index"])), f"row {row['index']}", numbers))
        yield study.Strip("Photo, inversion", looks)


def _quality(found: pd.DataFrame) -> study.Grid:
    frame = found[[*MEASURES]].astype("float64").quantile([*QUANTILES]).T
    return study.Grid("Faces: quantiles", frame.set_axis([f"{quantile:.0%}" for quantile in QUANTILES], axis=1))


def _facts(run: gather.Run) -> dict[str, str]:
    """What was asked, and the networks with their licences."""
    asked = ("command", "generator", "start", "steps", "trunk", "until", "max_lpips", "max_identity_dlib")
    facts = {wording.plain(name).capitalize(): wording.anything(run.asked(name)) for name in asked}
    facts |= {"Pictures": wording.anything(run.asked("pictures_digest"))}
    facts |= {"Fingerprint": wording.anything(run.asked("fingerprint"))}
    return facts | provenance.networks([run])
