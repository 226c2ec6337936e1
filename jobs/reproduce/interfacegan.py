"""`stylemill reproduce interfacegan`: what the paper says of PGGAN and StyleGAN, asked of the generator at hand."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, model_validator

from jobs.edit.spec import EditSpec
from jobs.flags import Names
from jobs.measure import MeasureSpec
from jobs.reproduce import directions as fits
from jobs.reproduce import paper_interfacegan as paper
from jobs.reproduce.claims import FAILS, NOT_DECIDED, Claim, decided
from jobs.reproduce.cost import Passes
from jobs.reproduce.edits import IDENTITY, Measured, changes, edit_spec, strips
from jobs.reproduce.faces import LabelledFaces, fit, label_faces, sample
from jobs.reproduce.study import Page, StudySpec, run_study, step
from pipeline.directions.choose import MARGIN
from pipeline.directions.compare import correlations, cosines
from pipeline.directions.reliability import entanglement
from pipeline.metrics import intervals
from pipeline.models.classifiers import ATTRIBUTES
from pipeline.models.codes import Space
from pipeline.report import study
from pipeline.tables import Table, store

SPACES: tuple[Space, ...] = ("w", "z")
FAR, SHARES = 8.0, (-1, -0.5, -0.25, 0.25, 0.5, 1)
"""How far past the boundary the strips go, in standard deviations of the distance; and where on the way there."""
STRENGTHS = (1.5, 3.0, 4.5, 6.0)
"""Of the edits that are measured, in such deviations."""
SHOWN = 2
"""Of these the one at which the paper's claim is put to test."""
CURVE_SHARES, GROUPS, PICTURE, STRIPS = (8, 4, 2), 10, 256, 3


class InterfaceganSpec(StudySpec):
    """Label faces, fit directions in Z and W, edit, measure, and put the paper's tables beside ours.

    Example: stylemill reproduce interfacegan --rows 4000 --out out/interfacegan
    """

    VERB = "reproduce interfacegan"

    rows: int = Field(4000, ge=400, description="Labelled faces to fit on.")
    edited: int = Field(48, ge=4, description="Other faces, to be edited and measured.")
    attributes: Names = Field(("yaw", "smile", "old", "male", "eyeglasses"), description="In the paper's order.")
    primal: str = Field("old", description="What is edited.")
    condition: str = Field("eyeglasses", description="What the edit is to leave alone.")

    @model_validator(mode="after")
    def _known(self) -> "InterfaceganSpec":
        """Before hours of labelling, not after."""
        if unknown := [name for name in (*self.attributes, self.condition) if name not in ATTRIBUTES]:
            raise ValueError(f"unknown attribute {unknown[0]!r}: the classifiers know {', '.join(ATTRIBUTES)}")
        if len(set(self.attributes)) < max(2, len(self.attributes)):
            raise ValueError("--attributes are two or more, each named once")
        if self.primal not in self.attributes or self.primal == self.condition:
            raise ValueError("--primal is one of --attributes, and another than --condition")
        return self

    @property
    def some(self) -> list[int]:
        """Numbers of faces of the learning curve, but for all."""
        return [self.rows // share for share in CURVE_SHARES]


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    return run_study(InterfaceganSpec, argv, make, cost)


def cost(spec: InterfaceganSpec) -> Passes:
    """Faces to be made: labelled; edited with and without the condition in each space, and made again to measure whose
    they are; moved far.
    """
    edited = 2 * len(SPACES) * spec.edited * (1 + len(STRENGTHS))
    return Passes(spec.rows + 2 * edited + 2 * (1 + len(spec.attributes) * len(SHARES)))


def make(spec: InterfaceganSpec) -> Page:
    """All steps, each of which goes on where it stopped; then the page."""
    faces = label_faces(spec, spec.rows, SPACES)
    others = sample(spec, "others", spec.edited, spec.seed + 1)
    edits = {}
    for space in SPACES:
        unit = faces.unit(space, spec.primal)
        for on, name in (((), f"edit-{space}"), ((spec.condition,), f"edit-{space}-on")):
            asked = edited(spec, faces, others, (spec.primal,), space, [k * unit for k in STRENGTHS], name, on)
            step(asked, "--primal, --condition, --judge or the flags of the run")
            edits["|".join((spec.primal, *on)) + f" in {space}"] = (asked.out, unit)
    tables = tuple(f"{url}/edits" for url, _ in edits.values())
    step(MeasureSpec(edits=tables, families=spec.judge, identity=True, out=spec.url("measured"), **spec.machine),
         "--judge or the flags of the run")  # fmt: skip
    two = sample(spec, "two", 2, spec.seed + 1)
    unit = sum(faces.unit("w", name) for name in spec.attributes) / len(spec.attributes)
    step(edited(spec, faces, two, spec.attributes, "w", [share * FAR * unit for share in SHARES], "far"))
    for space in SPACES:
        for count in spec.some:
            fit(spec, faces, space, spec.attributes, spec.url(f"fit-{space}-{count}"), count)
    shown = [strip for way, (url, _) in edits.items() for strip in strips(url, way, STRIPS)]
    heading = f"Faces: {spec.primal}, without and with {spec.condition} left alone"
    pictures = study.Section(heading, ["The source is on the left, then the steps of the edit."], shown)
    entangled = {
        space: fits.jackknifed(faces, space, spec.attributes, GROUPS, spec.url(f"entanglement-{space}.json"))
        for space in SPACES
    }
    return Page(
        title="InterFaceGAN",
        lead=paper.LEAD,
        strips=[pictures, far_away(spec.url("far"), spec.attributes)],
        claims=[less_entangled(entangled), *kept_alone(spec, edits)],
        sections=[
            table_1(spec, faces),
            table_2(spec, faces, entangled),
            table_3(faces.scores(spec.attributes)),
            conditional(spec, edits),
        ],
        facts={
            "Faces": f"{spec.rows:,} labelled, {spec.edited:,} others edited",
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
        out=spec.url(name), **judged, **spec.machine,
    )  # fmt: skip


# -- directions (Tables 1 to 3) ---------------------------------------------------------------------------------------


def table_1(spec: InterfaceganSpec, faces: LabelledFaces) -> study.Section:
    """Accuracies, what C was chosen from, and how the normals agree the more faces there are."""
    ours = pd.DataFrame(index=[paper.NAMES.get(name, name) for name in spec.attributes])
    chosen, curves = [], []
    for space in SPACES:
        fitted = faces.directions(space, spec.attributes).values()
        for part in ("validation", "all"):
            ours[f"{part} in {space}"] = [fits.said_accuracy(one, part, spec.rows) for one in fitted]
        ours[f"C, fraction in {space}"] = [f"{one.C:g}, {one.fraction:g}" for one in fitted]
        folders = {count: spec.url(f"fit-{space}-{count}") for count in spec.some} | {
            spec.rows: spec.url(f"fit-{space}")
        }
        cells = {count: fits.choices(folder, spec.attributes) for count, folder in folders.items()}
        chosen.append(fits.chosen_from(f"What C was chosen from, in {space}", cells[spec.rows], paper.NAMES))
        caption = f"Agreement of the normals of two halves of so many faces, in {space} (cosine)"
        curves.append(fits.learning_curve(caption, cells, spec.attributes))
    for name in paper.TABLE_1:
        ours[f"paper, {str(name).lower()}"] = [f"{paper.TABLE_1[name].get(row, np.nan):.1f}" for row in ours.index]
    beside = study.Grid("Accuracy beside the paper's (PGGAN, 2 % of 500,000 faces at each end)", ours)
    return study.Section("Separation (Table 1)", paper.said_table_1(spec.rows, MARGIN), [beside, *chosen, *curves])


def less_entangled(entangled: Mapping[Space, Sequence[float]]) -> Claim:
    """W less than Z (Sec. 3.4)?"""
    differences = [w - z for w, z in zip(entangled["w"], entangled["z"], strict=False)]
    ours = differences[0] if differences else np.nan
    low, high = intervals.of_jackknife(ours, differences[1:])
    what = "mean |cosine| of the directions, corrected for noise: W minus Z"
    return Claim("W is less entangled than Z", what, "less", ours, low, high, decided(low, high, positive=False))


def table_2(spec: InterfaceganSpec, faces: LabelledFaces, entangled: Mapping[Space, Sequence[float]]) -> study.Section:
    """Cosines, and what they are behind the noise of the fits."""
    sentences, grids = [paper.said_table_2(GROUPS, len(spec.attributes))], []
    for space in SPACES:
        found = cosines(list(faces.directions(space, spec.attributes).values()))
        uncorrected = f"as fitted on all faces, uncorrected, {entanglement(found.values):.3f}."
        sentences.append(f"in {space} {fits.said_jackknifed(entangled[space])}; {uncorrected}")
        grids.append(fits.matrix(f"Cosines of the normals in {space}, as fitted", found, paper.NAMES))
    theirs = study.Grid("The paper's Table 2 (PGGAN, Z)", paper.TABLE_2, shaded=True)
    return study.Section("Entanglement of the directions (Table 2, Sec. 3.4)", sentences, [*grids, theirs])


def table_3(scores: Mapping[str, NDArray[np.float64]]) -> study.Section:
    """Correlations of the scores."""
    rows = len(next(iter(scores.values())))
    known = np.tanh(intervals.Z95 / np.sqrt(rows - 3))
    ours = fits.matrix("Scores of the faces", correlations(scores), paper.NAMES)
    theirs = study.Grid("The paper's Table 3 (PGGAN)", paper.TABLE_3, shaded=True)
    return study.Section("Correlation of the scores (Table 3)", [paper.said_table_3(rows, known)], [ours, theirs])


# -- edits (Fig. 3, Sec. 3.3 and 3.4) ---------------------------------------------------------------------------------


def far_away(url: str, attributes: Sequence[str]) -> study.Section:
    """Fig. 3: far past the boundary, with the scores along the way."""
    rows = Table.open(store.join(url, "edits")).read(columns=["request", "strength", *attributes]).to_pandas()
    lines = {}
    for request, name in enumerate(attributes):
        mean = rows[rows["request"] == request].groupby("strength")[name].mean().reset_index()
        lines[name] = pd.DataFrame({"x": mean["strength"], "y": mean[name]})
    shown = [strip for place, name in enumerate(attributes) for strip in strips(url, f"{name} in w", 1, place, (name,))]
    return study.Section(
        "Distance (Fig. 3)",
        ["A face moved along each direction in W, far past the boundary on either side, and its score along the way."],
        [study.Curves("Score of the attribute that is edited, mean of two faces", "strength", "score", lines), *shown],
    )


def kept_alone(spec: InterfaceganSpec, edits: Mapping[str, tuple[str, float]]) -> list[Claim]:
    """Conditioning helps in Z and does little in W? Of each face, what of the condition's change it takes away."""
    claims = []
    for space, about, theirs in (("z", "Conditioning helps in Z", "yes"), ("w", "It does little in W", "little")):
        free, held = (
            changes(edits[f"{way} in {space}"][0], spec.condition, SHOWN)
            for way in (spec.primal, f"{spec.primal}|{spec.condition}")
        )
        less = (free - held).dropna()
        low, high = intervals.of_mean(less.mean(), less.std(), len(less))
        verdict = decided(low, high, positive=True) if space == "z" else FAILS if low > 0 else NOT_DECIDED
        what = f"{spec.condition} changes less, in {space}, at {STRENGTHS[SHOWN - 1]:g} sd"
        claims.append(Claim(about, what, theirs, less.mean(), low, high, verdict))
    return claims


def conditional(spec: InterfaceganSpec, edits: Mapping[str, tuple[str, float]]) -> study.Section:
    """What the judge sees of the primal and of the condition, and whose face it is."""
    found = Measured.read(spec.url("measured"), edits)
    curves = [
        found.curves(caption, what)
        for what, caption in (
            (spec.primal, f"Change of the judge's {spec.primal}, in standard deviations"),
            (spec.condition, f"Change of the judge's {spec.condition}, in standard deviations"),
            (IDENTITY, "Identity: cosine to the source's embedding"),
        )
    ]
    table = pd.DataFrame(found.flips(spec.condition), index=[f"{k} sd" for k in STRENGTHS])
    flips = study.Grid(f"Faces whose {spec.condition} changed side, by the judge, in per cent", table)
    heading = f"Conditional manipulation: {spec.primal}, leaving {spec.condition} alone"
    return study.Section(heading, [paper.CONDITIONAL], [*curves, flips])
