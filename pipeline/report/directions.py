"""The page of a table of directions: what each does to a few faces, and how well it was fitted."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from pipeline.report import gather, pictures, provenance, study, wording
from pipeline.report.direction_list import Listed, channels_of, frame_of, listed
from pipeline.report.edit_strips import small
from pipeline.tables import Table, store

LEAD = (
    "A direction is a vector in latent space along which one attribute of a face changes. Its accuracy is the share of "
    "faces that its hyperplane puts on the right side: of those it was fitted on (train), of others of the two classes "
    "(validation), of faces of neither class (remaining), of all. Its agreement is the cosine between the directions "
    "fitted on two halves of the faces: 1 if they are equal."
)
HOW_TO = (
    "No faces have been moved along them: stylemill directions strips --directions DIR/directions --latents TABLE "
    "--out DIR makes pictures for this page."
)
OTHERS = (
    "The pictures in DIR/strips are of directions that have been replaced since: stylemill directions strips --replace "
    "makes new ones."
)
SHOWN_CHANNELS = 10
UNRELIABLE_FITS = ".stylemill/directions/doubts.json"
"""The unreliable fits by name, with the reasons, written by the job that fitted them."""


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
    found = listed(table.url) if table.parts() else []
    sections = [study.Section("Directions", ["No direction is here."])]
    if found:
        sections = [
            _strips(directory, found, faces), _fits(directory, found, notes), *_channels(table.url, found),
            *_effects(directory, found),
        ]  # fmt: skip
    top = study.Top(_headline(table, found, run), [*_states(table, run), *(("warning", note) for note in notes)])
    name = store.resolve(directory)[1].rstrip("/").rsplit("/", 1)[-1]
    return study.write(url, title or name, LEAD, sections, _facts(table, found, run), top)


# -- what they do -----------------------------------------------------------------------------------------------------


def _strips(directory: str, directions: Sequence[Listed], faces: int | None) -> study.Section:
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
    names = {one.index: one.name for one in directions}
    parts = [
        study.Strip(f"{names.get(index, index)}: face {face}", [_look(row, side) for _, row in its.iterrows()])
        for (index, face), its in kept.groupby(["index", "face"])
    ]
    sentences = [
        f"{len(shown)} faces moved along each direction; the source is on the left. Below each picture: how far, in "
        "standard deviations (sd) of the latents along the direction, and as `--strengths` of stylemill edit takes it."
    ]
    if found["index"].nunique() < len(directions):
        sentences.append("Some directions have no pictures: the same command makes them.")
    return study.Section("What they do", sentences, parts)


def _look(row: "pd.Series[Any]", side: int) -> study.Look:
    if row["step"] == 0:
        return study.Look(small(row["image"]["bytes"], side), "source")
    scores = {"strength": wording.score(row["strength"])}
    return study.Look(small(row["image"]["bytes"], side), f"{wording.score(row['deviations'], 1)} sd", scores)


# -- how well they were fitted ----------------------------------------------------------------------------------------


def _fits(directory: str, directions: Sequence[Listed], notes: list[str]) -> study.Section:
    frame = frame_of(directions)
    frame = frame.drop(columns=[name for name in ("space", "method") if frame[name].nunique() == 1])  # it is at the top
    sentences = [f"{name} is unreliable: {why}." for name, why in _unreliable(directory, notes).items()]
    return study.Section("How they were fitted", sentences, [study.Grid("Directions", frame)])


def _unreliable(directory: str, notes: list[str]) -> Mapping[str, str]:
    """By name; none where the directions were not fitted by the job that judged them."""
    found = gather.document(directory, UNRELIABLE_FITS, notes)
    manifest = Table(store.join(directory, "directions")).manifest() or {}
    unreliable = found.get("doubts") if found.get("fingerprint") == manifest.get("fingerprint") else None
    return unreliable if isinstance(unreliable, dict) else {}


def _channels(url: str, directions: Sequence[Listed]) -> Iterator[study.Section]:
    """The style channels that sparse directions move most."""
    moved = channels_of(url)
    if moved is None:
        return
    moved = moved.assign(size=moved["weight"].abs()).sort_values(["index", "size"], ascending=[True, False])
    grids = []
    for one in directions:
        its = moved[moved["index"] == one.index]
        top = its.head(SHOWN_CHANNELS).set_index("place")[["layer", "channel", "weight", "effect"]]
        grids.append(study.Grid(f"{one.name}: {len(top)} of {len(its)} channels", top))
    sentence = (
        "Style channels with the largest weight in each direction, by their number in s. Effect: the weight in "
        "standard deviations of the channel, as a share of the largest. stylemill directions channels makes a "
        "direction of each channel, for strips of its own."
    )
    yield study.Section("Which channels they move", [sentence], grids)


def _effects(directory: str, directions: Sequence[Listed]) -> Iterator[study.Section]:
    """What components move, where directions were found without labels."""
    table = Table(store.join(directory, "effects"))
    if not table.parts():
        return
    effects = table.read().to_pandas().pivot(index="index", columns="measured", values="change")
    names = {one.index: one.name for one in directions}
    effects.index = pd.Index([names.get(index) for index in effects.index])
    sentence = "Mean change of each score for one standard deviation along the direction."
    reach = float(effects.abs().max().max()) or 1.0
    yield study.Section("What they move", [sentence], [study.Grid("Scores", effects, shaded=True, reach=reach)])


# -- provenance and state ---------------------------------------------------------------------------------------------


def _headline(table: Table, directions: Sequence[Listed], run: gather.Run) -> dict[str, str]:
    methods, spaces = ([getattr(one, name) for one in directions] for name in ("method", "space"))
    kinds = {"method": methods, "space": spaces}
    said = {name: ", ".join(dict.fromkeys(its)) or wording.NOT_RECORDED for name, its in kinds.items()}
    return {"generator": _generator(table, run), "directions": f"{len(directions):,}", **said}


def _generator(table: Table, run: gather.Run) -> str:
    said = ((table.manifest() or {}).get("facts", {}).get("spec", {})).get("generator")
    return wording.anything(said or run.asked("generator"))


def _states(table: Table, run: gather.Run) -> Iterator[tuple[str, str]]:
    if table.manifest() is None:
        yield "warning", "Not complete: the same command runs what is left"
    else:
        yield "good", "Complete"
    yield from provenance.ended_badly([run])


def _facts(table: Table, directions: Sequence[Listed], run: gather.Run) -> Mapping[str, str]:
    generators, classifiers = (
        ", ".join(dict.fromkeys(filter(None, its))) or wording.NOT_RECORDED
        for its in ([one.generator for one in directions], [one.classifier for one in directions])
    )
    return {
        "Command": wording.anything(run.asked("command")),
        "Generator": _generator(table, run),
        "Generator's digest": generators,
        "Classifiers' digest": classifiers,
        "Fingerprint": wording.anything((table.manifest() or {}).get("fingerprint")),
        "Latents": wording.anything(run.asked("latents_digest")),
        "Labels": wording.anything(run.asked("labels_digests")),
        **({"Errors": wording.anything(errors)} if (errors := run.ended("errors")) else {}),
    }
