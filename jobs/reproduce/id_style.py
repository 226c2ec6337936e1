"""`stylemill reproduce id-style`: whether directions trained to keep the identity do so, at equal accuracy too."""

import shlex
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from jobs.flags import command_of, say
from jobs.measure import MeasureSpec
from jobs.reproduce.cost import Passes, say_ahead, say_time_left, seconds_labelled
from jobs.reproduce.faces import LabelledFaces, label_faces, labelling_cost
from jobs.reproduce.id_style_edits import (
    ATTRIBUTES,
    SETTINGS,
    SIDES,
    STRENGTHS,
    WHOLE,
    edit,
    judge_faces,
    other_intensities,
    picture,
    to_both_sides,
    toggle,
)  # fmt: skip
from jobs.reproduce.id_style_flags import IdStyleSpec
from jobs.reproduce.id_style_size import size_and_time
from jobs.reproduce.id_style_training import FACES, PARTS, ablate, face_edits, trained
from jobs.reproduce.learned_from import said as learned_from
from jobs.reproduce.study import run_study, step
from pipeline.editors.id_style.networks import IDStyle
from pipeline.metrics.of_faces import BY_NAME, NUMBERS
from pipeline.report import study, wording
from pipeline.report.claims import Claim, Page
from pipeline.report.id_style import directions, equal_accuracy, paper, sections, strips, top_k
from pipeline.report.id_style.paper import LINEAR, NON_LINEAR, NOTHING, OURS
from pipeline.report.id_style.result import nothing_done, read
from pipeline.stages.models import read_artifact
from pipeline.tables import Artifact, Table

MEASURED = {"pictures": "ssim", "identity": "identity", "identity_dlib": "identity_dlib", "perceptual": "perceptual"}
"""The number of a picture that is shown, by metric."""
SHOWN, TOGETHER = 3, 2
"""Faces of which pictures are shown, of single edits and of several at once."""
ABLATED = 2000
"""Steps of each variant that are proposed: 4,000 edited faces."""


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    return run_study(IdStyleSpec, argv, make, cost)


def cost(spec: IdStyleSpec) -> Passes:
    """All of it; flags, artifacts and networks are looked at first."""
    spec.check()
    if spec.budget is not None and spec.artifact is None:
        say(f"Study {spec.budget:g} minutes of training, and:")
    labelled = labelling_cost(spec, spec.labelled) if spec.from_ is None else Passes()
    return labelled + Passes(spec.each) + ahead(spec)


def ahead(spec: IdStyleSpec) -> Passes:
    """Once faces are judged: trainings and edits, most of which are made where they are measured."""
    single, flips = len(ATTRIBUTES), len(SETTINGS) - 1 + len(other_intensities())
    both_sides = len(SIDES) * (single + 1)
    more = [len(STRENGTHS[method].tried) - 1 for method in spec.methods if method != OURS]
    moves = sum(1 + 2 * single + (single * (1 + its) if its else 0) for its in more)  # each folder makes its sources
    pictures = SHOWN * (1 + 2 * single) * len(spec.methods) + TOGETHER * 2 * single
    edits = Passes(spec.each * (both_sides + moves + flips * (2 + single)) + pictures)
    return edits + training_cost(spec.taken, spec.on_gpu) + ablations_cost(spec, spec.ablations or 0)


def training_cost(steps: int, in_every: bool = False) -> Passes:
    """in_every: whether each face is edited in every attribute."""
    edited = steps * FACES * (len(ATTRIBUTES) if in_every else 1)
    return Passes(edited + steps * FACES, edited)


def ablations_cost(spec: IdStyleSpec, steps: int) -> Passes:
    """Of all variants: trained, and all faces edited to both sides."""
    edits = Passes(spec.each * len(SIDES) * (len(ATTRIBUTES) + 1))
    return sum(len(PARTS) * [training_cost(steps) + edits], Passes()) if steps else Passes()


def make(spec: IdStyleSpec) -> Page:
    """All steps, each of which goes on where it stopped; then the page."""
    say_ahead(cost(spec))
    faces = spec.labelled_faces
    if spec.from_ is None:
        label_faces(spec, spec.labelled, ("w",), ATTRIBUTES)
    judged = judge_faces(spec)
    say_time_left(ahead(spec), spec.url("others-judged"))
    artifact = trained(spec, faces)
    urls = edit(spec, faces, artifact, judged)
    by_setting = toggle(spec, artifact)
    advice = "--judge, --metrics or the flags of the run"
    of_methods = measured(spec, urls, judged, advice)
    of_settings = spec.measure(list(by_setting), spec.of_identity, "measured-settings")
    step(of_settings, advice)
    settings = read_measured(of_settings, by_setting, judged)
    ablated = measured_ablations(spec, faces, judged, advice) if spec.ablations else None
    rows = judged.index[:SHOWN].tolist()
    alike = (judged[list(ATTRIBUTES)] > 0).sum(axis=1).sort_values(kind="stable").index[:TOGETHER].tolist()
    pictures = picture(spec, faces, artifact, rows, alike)
    return page(spec, faces, artifact, judged, of_methods, settings, ablated, pictures)


def measured(spec: IdStyleSpec, urls: Mapping[str, str], judged: pd.DataFrame, advice: str) -> pd.DataFrame:
    """Edits of each method, face by face. Those of the Latent Transformer are measured apart: it may be added later."""
    found = []
    for name, later in (("measured", False), ("measured-non-linear", True)):
        its = {url: method for url, method in urls.items() if (method == NON_LINEAR) == later}
        if its:
            measure = spec.measure(list(its), spec.metrics, name)
            step(measure, advice)
            found.append(read_measured(measure, its, judged))
    return pd.concat(found, ignore_index=True)


def read_measured(measure: MeasureSpec, urls: Mapping[str, str], judged: pd.DataFrame) -> pd.DataFrame:
    """What was measured, face by face."""
    tables = [BY_NAME[name].table for name in measure.metrics]
    return read(measure.out, urls, tables, [MEASURED[name] for name in measure.metrics], judged)


def measured_ablations(spec: IdStyleSpec, faces: LabelledFaces, judged: pd.DataFrame, advice: str) -> pd.DataFrame:
    """Edits of all faces to both sides by each variant of Table 3."""
    urls = {
        url: name
        for name, artifact in ablate(spec, faces).items()
        for url in to_both_sides(spec, artifact, f"without-{name[0]}")
    }
    measure = spec.measure(list(urls), [name for name in spec.metrics if name != "pictures"], "measured-ablations")
    step(measure, advice)
    return read_measured(measure, urls, judged)


# -- the page ---------------------------------------------------------------------------------------------------------


def page(
    spec: IdStyleSpec,
    faces: LabelledFaces,
    artifact: str,
    judged: pd.DataFrame,
    frame: pd.DataFrame,
    settings: pd.DataFrame,
    ablated: pd.DataFrame | None,
    pictures: Mapping[str, str],
) -> Page:
    """Strips, claims, Tables 1 to 3, identity at equal accuracy, Fig. 4 and 9."""
    numbers = {MEASURED[name]: NUMBERS[MEASURED[name]] for name in spec.metrics}
    usual = frame[at_usual(frame)]
    of_itself = {name: one.of_itself for name, one in numbers.items()}
    nothing = nothing_done(usual[usual["what"] == OURS], of_itself, NOTHING)
    how = {OURS: ", intensity 1", LINEAR: f" in W, ±{paper.STRENGTH:g}", NON_LINEAR: f", alpha ±{paper.ALPHA:g}"}
    set_at = {**{method: how[method] for method in spec.methods}, NOTHING: ""}
    toggles = frame[frame["toggle"]]
    own = toggles[toggles["what"] == OURS]
    whole = own.assign(what=str(WHOLE))
    at_strengths = pd.concat([toggles, _as_ours(settings)])
    network = IDStyle.of_tensors(read_artifact(artifact, "id-style").tensors)
    learned = {name: network.direction_MW[network.attributes.index(name)].numpy() for name in ATTRIBUTES}
    normals = {name: one.vector for name, one in faces.directions("w", ATTRIBUTES).items()}
    fig_4, orthogonal = directions.section(learned, normals)
    fig_9, enough = top_k.section(pd.concat([settings[settings["toggle"]], whole]), SETTINGS, numbers, network.width)
    strengths = {method: STRENGTHS[method] for method in spec.methods}
    equal, equal_claims = equal_accuracy.section(at_strengths, strengths, numbers)
    if ablated is None:
        table_3, without = no_table_3(spec), list[Claim]()
    else:
        edits = training_cost(spec.ablations or 0).backward
        table_3, without = sections.table_3(ablated, edits, numbers)
    return Page(
        title="ID-Style",
        lead=paper.lead(face_edits(artifact)),
        strips=[
            strips.toggles({method: pictures[method] for method in spec.methods}, judged),
            strips.together(pictures["together"]),
        ],
        claims=[*equal_claims, *sections.better_than_linear(usual, numbers), *orthogonal, *enough, *without],
        sections=[
            sections.table_1(pd.concat([usual, nothing]), set_at, numbers),
            equal,
            sections.table_2(*size_and_time(spec, faces, artifact)),
            table_3,
            fig_4,
            fig_9,
        ],
        facts={
            "Faces": f"{faces.said}, {spec.each:,} others edited",
            "Trained": Artifact(artifact).card().command,
            "Artifact": f"{Artifact(artifact).digest}{learned_from(artifact, Artifact(artifact).card())}",
            "Directions": Table.open(faces.fitted("w")).digest,
        },
    )


def at_usual(frame: pd.DataFrame) -> "pd.Series[bool]":
    """Whether an edit has the strength that the papers take for its method."""
    usual = frame["what"].map({method: its.usual for method, its in STRENGTHS.items()})
    return pd.Series(np.isclose(frame["strength"].abs(), usual), frame.index)


def _as_ours(settings: pd.DataFrame) -> pd.DataFrame:
    """Of toggles at all settings those of all entries, at other intensities than Table 1, as edits of our method."""
    named = [str(one) for one in other_intensities()]
    return settings[settings["what"].isin(named) & settings["toggle"]].assign(what=OURS)


def no_table_3(spec: IdStyleSpec) -> study.Section:
    """The command that makes it, and how long it takes."""
    command = shlex.join(["stylemill", *command_of(spec.model_copy(update={"ablations": ABLATED}))])
    seconds, _ = seconds_labelled(spec.url("others-judged"))
    return sections.no_table_3(command, len(PARTS), wording.duration(ablations_cost(spec, ABLATED).seconds(seconds)))
