"""The page of an artifact: what its card says, its figures, and how losses and accuracies went by step."""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from pipeline.card import Card, InputTable, parts_of_metric
from pipeline.errors import ModelFileError, StoreError
from pipeline.report import study, wording
from pipeline.tables import Artifact, store

CURVE = "curve.json"
LEAD = (
    "What was trained, on what, and how well it does on held-out rows. These figures come from the networks that were "
    "trained or used in training; stylemill measure compares edits by other networks."
)
_Figures = dict[str, dict[str, dict[str, float]]]
"""By network, attribute and name."""
UNITS = ("step", "phase")


def write(url: str, to: str, title: str | None = None) -> str:
    """Write the page of the artifact at `url` to the file `to` and return it. Equal artifacts give an equal page.

    Raises:
        ModelFileError: it is no artifact, or is damaged.
        StoreError: it cannot be read.
    """
    artifact = Artifact(url)
    card, notes = artifact.card(), list[str]()
    curve = _curve(artifact, card, notes)
    sections = [*_figures(card), *_curves(curve, card.meanings), _codes(card), _files(card)]
    name = store.resolve(url)[1].rstrip("/").rsplit("/", 2)
    top = study.Top(_headline(card), [*_states(artifact), *(("warning", note) for note in notes)])
    heading = title or (name[-2] if name[-1] == "artifact" and len(name) > 2 else name[-1])
    return study.write(to, heading, LEAD, sections, _facts(card, artifact.digest), top)


def _headline(card: Card) -> dict[str, str]:
    codes = card.codes.space if card.codes else wording.NOT_RECORDED
    generator = card.generator or wording.NOT_RECORDED
    return {"method": card.what, "generator": generator, "latents in": codes, "attributes": str(len(card.attributes))}


def _states(artifact: Artifact) -> Iterator[tuple[str, str]]:
    if not artifact.sealed:
        yield "warning", "Not sealed: its job has not finished, or only the files were copied"
    elif problems := artifact.verify():
        yield "warning", f"Damaged or changed: {problems[0]}"
    else:
        yield "good", "Sealed, and each file matches its digest"


def _figures(card: Card) -> Iterator[study.Section]:
    """A row for each attribute, a table for each network; figures of another form in a table of their own."""
    by_subject: _Figures = {}
    others: dict[str, float] = {}
    for name, number in card.metrics.items():
        if (found := parts_of_metric(name)) is None:
            others[name] = number
            continue
        subject, attribute, what = found
        by_subject.setdefault(subject, {}).setdefault(attribute, {})[what] = number
    alike: dict[tuple[str, ...], list[str]] = {}
    for subject, rows in by_subject.items():
        alike.setdefault(tuple(next(iter(rows.values()))), []).append(subject)
    parts = [_beside(subjects, names, by_subject) for names, subjects in alike.items()]
    if others:
        parts.append(study.Grid("Other figures", pd.DataFrame({"figure": others}), digits=3))
    if parts:
        said = dict.fromkeys(name.rsplit(".", 1)[-1] for name in card.metrics)
        sentences = [f"{name}: {card.meanings[name]}." for name in said if name in card.meanings]
        yield study.Section("Figures on held-out rows", sentences, parts)


def _beside(subjects: Sequence[str], names: Sequence[str], found: _Figures) -> study.Grid:
    """Networks that have the same figures in one table, a row for each attribute, each figure of them side by side."""
    columns = {
        name if len(subjects) == 1 else f"{name}, {subject}": {
            attribute: numbers.get(name, math.nan) for attribute, numbers in found[subject].items()
        }
        for name in names
        for subject in subjects
    }
    return study.Grid(" beside ".join(subjects), pd.DataFrame(columns), digits=3)


def _curves(curve: Sequence[Mapping[str, Any]], meanings: Mapping[str, str]) -> Iterator[study.Section]:
    """A section for each phase, in the order of the training; a picture for each number by step."""
    frame = pd.DataFrame(list(curve))
    if frame.empty or not {*UNITS} <= {*frame.columns}:
        return
    for phase in frame["phase"].unique():
        its = frame[frame["phase"] == phase].dropna(axis=1, how="all")
        names = [name for name in its.columns if name not in UNITS]
        parts = [
            study.Curves(
                _caption(name, meanings),
                "step",
                name,
                {name: its[["step", name]].set_axis(["x", "y"], axis=1).dropna()},
            )
            for name in names
        ]
        yield study.Section(f"By step: {phase}", ["Each point is the mean of the steps since the one before."], parts)


def _caption(name: str, meanings: Mapping[str, str]) -> str:
    return f"{name}: {meanings[name]}" if name in meanings else name


def _codes(card: Card) -> study.Section:
    if card.codes is None:
        return study.Section("Trained on", [f"Which latents it was trained on is {wording.NOT_RECORDED}."])
    norms = {"mean": card.codes.norm_mean, "lowest": card.codes.norm_min, "highest": card.codes.norm_max}
    grid = study.Grid("L2 norm of a latent", pd.DataFrame([norms], index=[f"in {card.codes.space}"]))
    attributes = ", ".join(card.attributes) or wording.NOT_RECORDED
    sentence = "An edit of latents with norms outside this range prints a warning."
    return study.Section("Trained on", [f"Attributes: {attributes}. {sentence}"], [grid])


def _files(card: Card) -> study.Section:
    rows = {name: {"size": wording.size(file.bytes), "sha256": file.sha256} for name, file in card.files.items()}
    return study.Section(
        "Files", [], [study.Grid("Files beside card.json", pd.DataFrame.from_dict(rows, orient="index"))]
    )


def _facts(card: Card, digest: str) -> dict[str, str]:
    return {
        "Command": card.command or wording.NOT_RECORDED,
        "Citation": card.citation or wording.NOT_RECORDED,
        "Generator's fingerprint": card.generator_fingerprint or wording.NOT_RECORDED,
        **{kind.capitalize(): "; ".join(map(_told, tables)) for kind, tables in card.tables.items()},
        **{f"Digest of the {name}": value for name, value in card.inputs.items()},
        **{f"Licence of {name}": value for name, value in card.licences.items()},
        "Digest of the artifact": digest,
    }


def _told(table: InputTable) -> str:
    """Where a table was, and how its faces were made and scored."""
    how = {"seed": table.seed, "by": table.classifiers}
    said = ", ".join(f"{name} {value}" for name, value in how.items() if value is not None)
    return f"{table.url} ({said})" if said else table.url


def _curve(artifact: Artifact, card: Card, notes: list[str]) -> list[dict[str, Any]]:
    """The points; what cannot be read goes into `notes`, since the artifact works without them."""
    if CURVE not in card.files:
        return []
    try:
        points = json.loads(artifact.read(CURVE))
    except (ModelFileError, StoreError, ValueError) as error:
        notes.append(f"{CURVE}: {error}")
        return []
    good = isinstance(points, list) and all(isinstance(point, dict) for point in points)
    if not good:
        notes.append(f"{CURVE} is not a list of points and was left out")
    return [point for point in points if _finite(point)] if good else []


def _finite(point: Mapping[str, Any]) -> bool:
    return all(math.isfinite(value) for value in point.values() if isinstance(value, int | float))
