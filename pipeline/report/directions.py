"""The page of a table of directions: what each does to a few faces, and how well it was fitted."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

import schemas
from pipeline.report import gather, pictures, provenance, study, wording
from pipeline.report.edit_strips import small
from pipeline.tables import Table, store
from schemas.directions import ACCURACIES

LEAD = (
    "A direction is where to move a face in latent space so that one attribute changes. Its accuracy is the share of "
    "faces that its hyperplane puts on the right side: of those it was fitted on (train), of others of the two classes "
    "(validation), of faces of neither class (remaining), of all. Its agreement is the cosine between the directions "
    "of two halves of the faces: 1 where they find the same."
)
HOW_TO = (
    "No faces have been moved along them: stylemill directions fit --strips 4, or stylemill directions strips "
    "--directions DIR/directions --latents TABLE --out DIR, makes pictures for this page."
)
OTHERS = (
    "The pictures in DIR/strips are of other directions, which these have replaced: stylemill directions strips "
    "--replace makes them anew."
)
DOUBTS = ".stylemill/directions/doubts.json"
"""The fits that prove nothing, by name, and why: as the job that fitted them has judged them."""


def write(directory: str, url: str, title: str | None = None, faces: int | None = None) -> str:
    """Write the page of DIR/directions to `url` and return it. Equal tables give an equal page.

    Args:
        faces: at most so many are shown along each direction; all that there are by default.

    Raises:
        StoreError: a table cannot be read.
    """
    notes: list[str] = []
    run = gather.read_run(directory, "directions", notes)
    table = Table(store.join(directory, "directions"))
    rows = table.read().to_pandas() if table.parts() else pd.DataFrame(columns=schemas.directions().arrow.names)
    rows["name"] = [_name(row) for _, row in rows.iterrows()]
    sections = [study.Section("Directions", ["No direction is here."])]
    if len(rows):
        sections = [_strips(directory, rows, faces), *_numbers(directory, rows, notes), *_effects(directory, rows)]
    top = study.Top(_headline(table, rows, run), [*_states(table, run), *(("warning", note) for note in notes)])
    name = store.resolve(directory)[1].rstrip("/").rsplit("/", 1)[-1]
    return study.write(url, title or name, LEAD, sections, _facts(table, rows, run), top)


def _name(row: "pd.Series[Any]") -> str:
    return row["attribute"] + (f" | {', '.join(row['conditions'])}" if len(row["conditions"]) else "")


# -- what they do -----------------------------------------------------------------------------------------------------


def _strips(directory: str, rows: pd.DataFrame, faces: int | None) -> study.Section:
    table = Table(store.join(directory, "strips"))
    if not table.parts():
        return study.Section("What they do", [HOW_TO])
    theirs, ours = gather.read_run(directory, "strips", []), Table(store.join(directory, "directions"))
    if ours.manifest() is None or theirs.asked("directions_digest") != ours.digest:
        return study.Section("What they do", [OTHERS])
    found = table.read().to_pandas()
    shown = sorted(found["face"].unique())[:faces]
    kept = found[found["face"].isin(shown)]
    side = pictures.side_of(len(kept))
    names = rows.set_index("index")["name"]
    parts = [
        study.Strip(f"{names.get(index, index)}: face {face}", [_look(row, side) for _, row in its.iterrows()])
        for (index, face), its in kept.groupby(["index", "face"])
    ]
    sentences = [
        f"{len(shown)} faces moved along each direction; the source is on the left. Below each picture: how far, in "
        "standard deviations (sd) of the latents along the direction, and as `--strengths` of stylemill edit takes it."
    ]
    if found["index"].nunique() < len(rows):
        sentences.append("Some directions have no pictures: the same command makes them.")
    return study.Section("What they do", sentences, parts)


def _look(row: "pd.Series[Any]", side: int) -> study.Look:
    if row["step"] == 0:
        return study.Look(small(row["image"]["bytes"], side), "source")
    scores = {"strength": wording.score(row["strength"])}
    return study.Look(small(row["image"]["bytes"], side), f"{wording.score(row['deviations'], 1)} sd", scores)


# -- how well they were fitted ----------------------------------------------------------------------------------------


def _numbers(directory: str, rows: pd.DataFrame, notes: list[str]) -> Iterator[study.Section]:
    agreements = _agreements(directory, rows)
    various = {name: rows[name] for name in ("space", "method") if rows[name].nunique() > 1}  # else it is at the top
    frame = pd.DataFrame(
        {
            **various,
            "rows": rows["rows"].map(_one),
            **{name: rows[f"accuracy_{name}"].map(_one).map(_share) for name in ACCURACIES},
            "agreement": agreements,
            "C": rows["C"].map(_one).map(_plain),
            "class share": rows["fraction"].map(_one).map(_plain),
        }
    )
    frame.index = pd.Index(rows["name"])
    frame = frame.dropna(axis="columns", how="all")
    sentences = [f"{name} is hardly to be relied on: {why}." for name, why in _doubts(directory, notes).items()]
    yield study.Section("How they were fitted", sentences, [study.Grid("Directions", frame)])


def _doubts(directory: str, notes: list[str]) -> Mapping[str, str]:
    """By name; none where the directions were not fitted by the job that judged them."""
    found = gather.document(directory, DOUBTS, notes)
    manifest = Table(store.join(directory, "directions")).manifest() or {}
    doubts = found.get("doubts") if found.get("fingerprint") == manifest.get("fingerprint") else None
    return doubts if isinstance(doubts, dict) else {}


def _agreements(directory: str, rows: pd.DataFrame) -> list[float | None]:
    """Of the C and fraction that were chosen; None where nothing was."""
    table = Table(store.join(directory, "grids"))
    if not table.parts():
        return [None] * len(rows)
    cells = table.read().to_pandas()
    found: list[float | None] = []
    for _, row in rows.iterrows():
        its = cells[(cells["index"] == row["index"]) & (cells["C"] == _one(row["C"]))]
        fraction = _one(row["fraction"])
        if fraction is not None:  # the table says n of each class over the rows, the grid what was asked
            its = its.loc[(its["fraction"] - fraction).abs().sort_values(kind="stable").index]
        found.append(float(its["agreement"].iloc[0]) if len(its) else None)
    return found


def _effects(directory: str, rows: pd.DataFrame) -> Iterator[study.Section]:
    """What components move, where directions were found without labels."""
    table = Table(store.join(directory, "effects"))
    if not table.parts():
        return
    effects = table.read().to_pandas().pivot(index="index", columns="measured", values="change")
    effects.index = pd.Index(rows.set_index("index")["name"].reindex(effects.index))
    sentence = "Mean change of each score for one standard deviation along the direction."
    reach = float(effects.abs().max().max()) or 1.0
    yield study.Section("What they move", [sentence], [study.Grid("Scores", effects, shaded=True, reach=reach)])


def _one(values: Any) -> float | None:
    """A column that holds none or one."""
    return values[0] if len(values) else None


def _share(value: float | None) -> str | None:
    return None if value is None else wording.share(round(1000 * value), 1000)


def _plain(value: float | None) -> str | None:
    return None if value is None else f"{value:.4g}"


# -- what was asked, and what became of it ----------------------------------------------------------------------------


def _headline(table: Table, rows: pd.DataFrame, run: gather.Run) -> dict[str, str]:
    kinds = {name: ", ".join(dict.fromkeys(rows[name])) or wording.NOT_RECORDED for name in ("method", "space")}
    return {"generator": _generator(table, run), "directions": f"{len(rows):,}", **kinds}


def _generator(table: Table, run: gather.Run) -> str:
    said = ((table.manifest() or {}).get("facts", {}).get("spec", {})).get("generator")
    return wording.anything(said or run.asked("generator"))


def _states(table: Table, run: gather.Run) -> Iterator[tuple[str, str]]:
    if table.manifest() is None:
        yield "warning", "Not complete: the same command runs what is left"
    else:
        yield "good", "Complete"
    yield from provenance.ended_badly([run])


def _facts(table: Table, rows: pd.DataFrame, run: gather.Run) -> Mapping[str, str]:
    digests = {name: ", ".join(filter(None, dict.fromkeys(rows[name]))) for name in ("generator", "classifier")}
    return {
        "Command": wording.anything(run.asked("command")),
        "Generator": _generator(table, run),
        "Generator's digest": digests["generator"] or wording.NOT_RECORDED,
        "Classifiers' digest": digests["classifier"] or wording.NOT_RECORDED,
        "Fingerprint": wording.anything((table.manifest() or {}).get("fingerprint")),
        "Latents": wording.anything(run.asked("latents_digest")),
        "Labels": wording.anything(run.asked("labels_digests")),
        **({"Errors": wording.anything(errors)} if (errors := run.ended("errors")) else {}),
    }
