"""`stylemill reproduce interfacegan`: the paper's experiments on PGGAN and StyleGAN, on another generator."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, model_validator

from jobs.edit.spec import EditSpec
from jobs.flags import Names, say
from jobs.measure import MeasureSpec
from jobs.options import canonical
from jobs.reproduce.cost import Passes
from jobs.reproduce.faces import LabelledFaces, fit, label_faces, labelling_cost, sample
from jobs.reproduce.study import StudySpec, cached, edit_spec, run_study, step
from pipeline.directions.choose import MARGIN
from pipeline.directions.compare import correlations, cosines
from pipeline.directions.reliability import Noise, jackknifed_entanglement
from pipeline.metrics import intervals
from pipeline.models.classifiers import ATTRIBUTES
from pipeline.models.classifiers.attributes import DEFAULT_ATTRIBUTES
from pipeline.models.codes import Space
from pipeline.report import interfacegan as page
from pipeline.report import study
from pipeline.report.claims import FAILS, NOT_DECIDED, Claim, Page, decided
from pipeline.report.measured import Measured
from pipeline.report.pictured import strips
from pipeline.tables import Table, store
from schemas.edits import JUDGE

SPACES: tuple[Space, ...] = ("w", "z")
FAR, SHARES = 8.0, (-1, -0.5, -0.25, 0.25, 0.5, 1)
"""How far past the boundary the strips go, in standard deviations of the distance; and where on the way there."""
STRENGTHS = (1.5, 3.0, 4.5, 6.0)
"""Of the edits that are measured, in such deviations."""
SHOWN = 2
"""Of these the one at which the paper's claim is put to test."""
CURVE_SHARES, GROUPS, PICTURE, STRIPS = (8, 4, 2), 10, 256, 3


class InterfaceganSpec(StudySpec):
    """Label faces, fit directions in Z and W, edit, measure, and compare with the paper's tables.

    Example: stylemill reproduce interfacegan --rows 4000 --out out/interfacegan
    """

    VERB = "reproduce interfacegan"

    rows: int = Field(4000, ge=400, description="Labelled faces to fit directions on.")
    edited: int = Field(48, ge=4, description="Other faces, to be edited and measured.")
    attributes: Names = Field(
        ("yaw", "smile", "old", "male", "eyeglasses"), description="Attributes to fit, in the paper's order."
    )
    primal: str = Field("old", description="The attribute to change.")
    condition: str = Field("eyeglasses", description="The attribute to leave unchanged.")

    @model_validator(mode="after")
    def _known(self) -> "InterfaceganSpec":
        """Before hours of labelling, not after."""
        if unknown := [name for name in (*self.attributes, self.condition) if name not in ATTRIBUTES]:
            raise ValueError(f"unknown attribute {unknown[0]!r}: the classifiers know {', '.join(ATTRIBUTES)}")
        if len(set(self.attributes)) < max(2, len(self.attributes)):
            raise ValueError("--attributes: name two or more, each once")
        if self.primal not in self.attributes or self.primal == self.condition:
            raise ValueError("--primal must be one of --attributes, and not --condition")
        return self

    @property
    def labelled(self) -> list[str]:
        """Attributes that faces are labelled by: the usual ones, and those that are asked for."""
        return canonical({*DEFAULT_ATTRIBUTES, *self.attributes, self.condition})

    @property
    def some(self) -> list[int]:
        """Numbers of faces of the learning curve, but for all."""
        return [self.rows // share for share in CURVE_SHARES]


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    return run_study(InterfaceganSpec, argv, make, cost)


def cost(spec: InterfaceganSpec) -> Passes:
    """Faces to be made: labelled, unless their labels are kept; edited with and without the condition in each space,
    and made again to measure their identity; moved far.
    """
    edited = 2 * len(SPACES) * spec.edited * (1 + len(STRENGTHS))
    others = Passes(2 * edited + 2 * (1 + len(spec.attributes) * len(SHARES)))
    return labelling_cost(spec, spec.rows, spec.labelled) + others


def make(spec: InterfaceganSpec) -> Page:
    """All steps, each of which goes on where it stopped; then the page."""
    faces = label_faces(spec, spec.rows, SPACES, labelled=spec.labelled)
    others = sample(spec, "others", spec.edited, spec.seed + 1)
    edits = {}
    for space in SPACES:
        unit = faces.unit(space, spec.primal)
        for preserve, name in (((), f"edit-{space}"), ((spec.condition,), f"edit-{space}-on")):
            strengths = [k * unit for k in STRENGTHS]
            asked = edited(spec, faces, others, (spec.primal,), space, strengths, name, preserve)
            step(asked, "--primal, --condition, --judge or the flags of the run")
            edits["|".join((spec.primal, *preserve)) + f" in {space}"] = (asked.out, unit)
    tables = tuple(f"{url}/edits" for url, _ in edits.values())
    step(MeasureSpec(edits=tables, families=spec.judge, identity=True, out=spec.url("measured"), **spec.scoring),
         "--judge or the flags of the run")  # fmt: skip
    two = sample(spec, "two", 2, spec.seed + 1)
    unit = sum(faces.unit("w", name) for name in spec.attributes) / len(spec.attributes)
    step(edited(spec, faces, two, spec.attributes, "w", [share * FAR * unit for share in SHARES], "far"))
    folders: dict[str, dict[int, str]] = {}
    for space in SPACES:
        folders[space] = {count: spec.url(f"fit-{space}-{count}") for count in spec.some}
        for count, folder in folders[space].items():
            fit(spec, faces, space, spec.attributes, folder, count)
        folders[space][spec.rows] = spec.url(f"fit-{space}")
    shown = [strip for way, (url, _) in edits.items() for strip in strips(url, way, STRIPS)]
    heading = f"Faces: {spec.primal}, without and with {spec.condition} left alone"
    pictures = study.Section(heading, ["The source is on the left, then the steps of the edit."], shown)
    entangled: dict[str, list[float]] = {space: jackknifed(spec, faces, space) for space in SPACES}
    fitted = {space: list(faces.directions(space, spec.attributes).values()) for space in SPACES}
    alike: dict[str, NDArray[np.float64]] = {space: cosines(directions).values for space, directions in fitted.items()}
    scores = faces.scores(spec.attributes)
    measured = Measured.read(spec.url("measured"), edits)
    return Page(
        title="InterFaceGAN",
        lead=page.LEAD,
        strips=[pictures, page.distance(spec.url("far"), spec.attributes)],
        claims=[less_entangled(entangled), *kept_alone(spec, edits)],
        sections=[
            page.separation(folders, spec.attributes, MARGIN),
            page.entanglement(spec.attributes, alike, entangled, GROUPS),
            page.correlation(correlations(scores).values, spec.attributes, len(scores[spec.primal])),
            page.conditional(measured, spec.primal, spec.condition, STRENGTHS),
        ],
        facts={
            "Faces": f"{faces.said}, {spec.edited:,} others edited",
            **{f"Directions in {space}": Table.open(faces.fitted(space)).digest for space in SPACES},
        },
    )


def edited(
    spec: InterfaceganSpec, faces: LabelledFaces, latents: str, attributes: tuple[str, ...], space: Space,
    strengths: Sequence[float], name: str, preserve: tuple[str, ...] = (),
) -> EditSpec:  # fmt: skip
    """Edits along the fitted directions into the folder `name`; those of one attribute are judged."""
    judged = {"scores": "both", "judge": spec.judge} if len(attributes) == 1 else {"scores": "faces"}
    return edit_spec(
        "interfacegan", latents=(latents,), directions=(faces.fitted(space),), attribute=attributes, preserve=preserve,
        strengths=tuple(round(strength, 4) for strength in strengths),
        classifiers=spec.classifiers, images="webp", size=min(PICTURE, faces.generator.resolution),
        out=spec.url(name), **judged, **spec.scoring,
    )  # fmt: skip


def jackknifed(spec: InterfaceganSpec, faces: LabelledFaces, space: Space) -> list[float]:
    """Entanglement behind the noise, of all faces, then without each of some groups; empty where it is all noise.

    It takes minutes, and so is kept in DIR/entanglement-SPACE.json.
    """

    def made() -> dict[str, list[float]]:
        found = faces.directions(space, spec.attributes)
        try:
            means = jackknifed_entanglement(faces.codes(space), faces.scores(spec.attributes), found, GROUPS)
        except Noise as error:
            say(f"Note  in {space} {error}")
            means = []
        return {"means": means}

    say(f"      halves of the faces in {space}")
    of = {"directions": Table.open(faces.fitted(space)).digest, "attributes": list(spec.attributes), "groups": GROUPS}
    return cached(spec.url(f"entanglement-{space}.json"), of, made)["means"]


# -- claims (Sec. 3.3 and 3.4) ----------------------------------------------------------------------------------------


def less_entangled(entangled: Mapping[str, Sequence[float]]) -> Claim:
    """W less than Z?"""
    differences = [w - z for w, z in zip(entangled["w"], entangled["z"], strict=False)]
    ours = differences[0] if differences else np.nan
    low, high = intervals.of_jackknife(ours, differences[1:])
    what = "mean |cosine| of the directions, corrected for noise: W minus Z"
    return Claim("W is less entangled than Z", what, "less", ours, low, high, decided(low, high, positive=False))


def kept_alone(spec: InterfaceganSpec, edits: Mapping[str, tuple[str, float]]) -> list[Claim]:
    """Conditioning helps in Z and does little in W? Of each face, what of the condition's change it takes away."""
    claims = []
    for space, about, theirs in (("z", "Conditioning helps in Z", "yes"), ("w", "It does little in W", "little")):
        free, held = (
            change(edits[f"{way} in {space}"][0], spec.condition)
            for way in (spec.primal, f"{spec.primal}|{spec.condition}")
        )
        less = (free - held).dropna()
        low, high = intervals.of_mean(less.mean(), less.std(), len(less))
        verdict = decided(low, high, positive=True) if space == "z" else FAILS if low > 0 else NOT_DECIDED
        what = f"{spec.condition} changes less, in {space}, at {STRENGTHS[SHOWN - 1]:g} sd"
        claims.append(Claim(about, what, theirs, less.mean(), low, high, verdict))
    return claims


def change(url: str, attribute: str) -> "pd.Series[float]":
    """How far the judge's score is from the source's at the step of the claim, by row; in a folder of edits."""
    name = JUDGE + attribute
    rows = Table.open(store.join(url, "edits")).read(columns=["index", "step", name]).to_pandas()
    score = rows.pivot(index="index", columns="step", values=name)
    return (score[SHOWN] - score[0]).abs()
