"""The page of edited faces: each row of strengths with its pictures, the scores along it, and the means of all rows."""

import math
from collections.abc import Collection, Iterator, Sequence

import pandas as pd

from pipeline.report import gather, provenance, study, wording
from pipeline.report.edit_means import Branch, Edits
from pipeline.report.edit_strips import FACES, strips
from pipeline.tables import store
from schemas.edits import JUDGE

LEAD = "Faces moved in latent space. A score is 0 at the boundary, in standard deviations over the calibration faces."
ON_USING_THEM = (
    "A generator of faces has learned from photographs of real people, who were not asked about this use of them. Do "
    "not present a face that it makes as a person who exists, and get consent before you edit anybody's photograph.",
    "A score is the output of one network for one picture: male is not a person's gender, and old is not a person's "
    "age. Do not use such networks to make decisions about people.",
)


MOST_CHOSEN = 64
"""Faces that are shown, where they were chosen and --faces does not say how many."""
FAMILIES = ((False, "the classifiers that edit and label"), (True, "the judge"))


def write(
    directory: str,
    url: str,
    title: str | None = None,
    faces: int | None = None,
    chosen: Collection[int] | None = None,
    also: Sequence[study.Section] = (),
) -> str:
    """Write the page of DIR/edits, or of some of its rows, to `url` and return it. Equal tables give an equal page.

    also: sections behind the pictures.

    Raises:
        StoreError: a table cannot be read.
    """
    notes: list[str] = []
    run = gather.read_run(directory, "edit", notes)
    found = Edits.read(directory, chosen)
    if chosen is not None:
        notes.append(wording.chosen(found.faces, found.all_faces))
    faces = faces or (FACES if chosen is None else max(FACES, min(len(chosen), MOST_CHOSEN)))
    numbers = [_section(found, branch) for branch in found.branches]
    rejected = [_rejected(run)] if len(run.rejects) else []
    sections = [strips(found, directory, faces), *also, *numbers, *rejected, study.Section("Use", ON_USING_THEM)]
    name = store.resolve(directory)[1].rstrip("/").rsplit("/", 1)[-1]
    top = study.Top(_headline(found, run), [*_states(found, run), *(("warning", note) for note in notes)])
    return study.write(url, title or name, LEAD, sections, _facts(found, run), top)


def _section(found: Edits, branch: Branch) -> study.Section:
    along, halves, rows = found.along(branch), found.spread(branch), found.count(branch)
    stops = ", ".join(f"{count:,} {stop}" for stop, count in found.stops[branch].most_common())
    stages = found.stages(branch[0])
    places = ["source" if step == 0 else stages[step - 1] if stages else f"step {step}" for step in along.index]
    numbers = {"strength": along["strength"].round(4).to_numpy(), "faces": rows[along.index].astype(int).to_numpy()}
    bold = [name.removeprefix(JUDGE) for name in found.bold(branch[0])]
    parts: list[study.Curves | study.Grid] = []
    sentences = [f"How the edits ended: {stops}."]
    for judged, whose in FAMILIES:
        scores = {name.removeprefix(JUDGE): name for name in found.scores if name.startswith(JUDGE) == judged}
        if scores:
            lines = {name: _line(along, halves, column) for name, column in scores.items()}
            parts.append(study.Curves(f"Mean scores by {whose}, 95 % intervals", "strength", "score", lines, bold))
            cells = {
                name: [_cell(along.loc[step, column], halves.loc[step, column]) for step in along.index]
                for name, column in scores.items()
            }
            frame = pd.DataFrame({**numbers, **cells}, index=places)
            parts.append(study.Grid(f"The same in numbers, by {whose}", frame, bold=bold))
    unjudged = sorted(
        {name for name in found.scores if not name.startswith(JUDGE) and JUDGE + name not in found.scores}
    )
    if unjudged and any(name.startswith(JUDGE) for name in found.scores):
        sentences.append(f"Unjudged: {', '.join(unjudged)}, which the judge does not score.")
    if not parts:
        frame = pd.DataFrame(numbers, index=places)
        parts.append(study.Grid("Mean strength; no scores were kept (--scores)", frame))
    if rows.nunique() > 1:
        sentences.append("Faces stop at different steps; the numbers of a step are over the faces that have it.")
    return study.Section(found.heading(branch), sentences, parts)


def _line(along: pd.DataFrame, halves: pd.DataFrame, name: str) -> pd.DataFrame:
    half = halves[name].reindex(along.index).fillna(0.0)
    y = along[name]
    return pd.DataFrame({"x": along["strength"], "y": y, "low": y - half, "high": y + half})


def _cell(mean: float, half: float) -> str:
    return wording.score(mean) + (f" ±\N{NO-BREAK SPACE}{half:.2f}" if math.isfinite(half) else "")


# -- provenance and state ---------------------------------------------------------------------------------------------


def _headline(found: Edits, run: gather.Run) -> dict[str, str]:
    """The top of the page: generator, editor, space and numbers of faces."""
    asked = {name: wording.anything(run.asked(name)) for name in ("generator", "editor", "space")}
    rejected = int(run.rejects["rows"].sum())
    return {**asked, "faces": f"{found.faces:,}", **({"rejected": f"{rejected:,}"} if rejected else {})}


def _states(found: Edits, run: gather.Run) -> Iterator[tuple[str, str]]:
    """Whether the table is complete, whether there is anything in it, and whether the last run ended well."""
    if found.table.manifest() is None:
        yield "warning", "Not complete: the same edit command runs what is left"
    elif not found.faces:
        yield "warning", "Complete, and no face was edited: all were rejected"
    else:
        yield "good", "Complete"
    yield from provenance.ended_badly([run])
    yield from provenance.borrowed([run])


def _rejected(run: gather.Run) -> study.Section:
    frame = run.rejects.set_index("reason").rename(columns={"first": "first faces"})
    return study.Section("Rejected", ["Faces that were not edited, and why."], [study.Grid("By reason", frame)])


def _stands_on(run: gather.Run) -> dict[str, str]:
    """Digests of the directions, or of what was trained for the editor."""
    names = {"Artifact": run.asked("artifact_digest"), "Directions": run.asked("directions_digest")}
    there = {name: wording.anything(digest) for name, digest in names.items() if digest is not None}
    return there or {"Directions": wording.NOT_RECORDED}


def _facts(found: Edits, run: gather.Run) -> dict[str, str]:
    """The spec of the job that edited, and its networks with their licences."""
    sealed = found.table.manifest() is not None
    facts = {
        "Complete": "yes" if sealed else "no: the same edit command runs what is left",
        "Command": wording.anything(run.asked("command")),
        "Faces": f"{found.faces:,}",
        **{name.capitalize(): wording.anything(run.asked(name)) for name in ("generator", "editor", "space")},
        "Fingerprint": wording.anything(run.asked("fingerprint")),
        "Latents": wording.anything(run.asked("latents_digest")),
        **_stands_on(run),
        **({"Calibration": provenance.calibration(run)} if run.asked("calibration") is not None else {}),
        "Rejected": wording.count(int(run.rejects["rows"].sum())),
        **({"Errors": wording.anything(errors)} if (errors := run.ended("errors")) else {}),
    }
    for used in provenance.weights_of([run]):
        facts[used.name] = f"{used.what}; {used.source}; {used.licence}; {used.citation}" + (
            f"; non-commercial: {used.reason or 'yes'}" if used.noncommercial else ""
        )
    return facts
