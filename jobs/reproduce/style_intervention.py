"""`stylemill reproduce style-intervention`: whether edits in style space change less of a picture at equal success."""

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd
from pydantic import Field, model_validator

from jobs.flags import Names, say
from jobs.measure import MeasureSpec
from jobs.reproduce import feature_maps
from jobs.reproduce.cost import Passes, say_ahead, say_time_left
from jobs.reproduce.equal_success import MeasuredMoves
from jobs.reproduce.faces import LabelledFaces, faces_that_lack, fit_sparse, label_faces, labelling_cost
from jobs.reproduce.intervention_edits import FOLDERS, INTERPOLATED, InterventionFlags, edit, keep_layers
from jobs.reproduce.outlined import Masks, strips
from jobs.reproduce.study import run_study, step
from pipeline.editors.style_intervention import Config
from pipeline.errors import SpecError
from pipeline.metrics.of_faces import BY_NAME, NUMBERS
from pipeline.models import generators
from pipeline.models.classifiers import ATTRIBUTES, attributes_of
from pipeline.models.codes import Space
from pipeline.report import study
from pipeline.report.claims import Page
from pipeline.report.face_numbers import of_faces
from pipeline.report.style_intervention import paper, sections
from pipeline.report.style_intervention.paper import CONDITIONAL, EDITED, IN_W, IN_Z, OURS
from pipeline.report.style_intervention.result import Result, read
from pipeline.tables import Table

SPACES: tuple[Space, ...] = ("w", "z")
CASE = "smile"
"""The attribute of which pictures are kept after layers, where it is edited; the paper's is Mouth Open."""
STRIPS = 2
MEETS = 4
"""About how many faces are made to find the strength of a move at which a score is reached, the source included."""
METRICS = ("pictures", "identity_dlib", "identity", "perceptual")
"""Of `stylemill measure`."""
OUTSIDE = {
    "mse_outside": "mean squared error outside the region of the face parser, which the intervention was solved for",
    "mse_inside": "mean squared error inside it",
    "ssim_outside": "structural similarity outside it",
    "mse_outside_landmarks": "mean squared error outside the region of the judge's landmarks, where they show it",
}


class StyleInterventionSpec(InterventionFlags):
    """Fit sparse hyperplanes in style space, edit by Style Intervention and by moves in z and w, and compare what they
    change at equal success.

    Example: stylemill reproduce style-intervention --rows 10 --out out/style-intervention
    """

    VERB = "reproduce style-intervention"

    labelled: int = Field(4000, ge=400, description="Without --from: faces to fit directions on.")
    rows: int | None = Field(None, ge=4, description="Faces edited, of each attribute. Default: 10; on a GPU 100.")
    others: int | None = Field(
        None, gt=0, description="Faces from which those are taken that lack the attribute. Default: 5 x --rows."
    )
    sparse: Names = Field(
        tuple(paper.NAMES), min_length=1, description="Attributes of Table 1; they include those that are edited."
    )

    metrics: Names = Field(
        METRICS,
        description="Of stylemill measure, pictures among them; identity_dlib needs the extra identity, and without it "
        "the claims about identity are told by the metric identity.",
    )

    @model_validator(mode="after")
    def _known(self) -> "StyleInterventionSpec":
        """Check the flags before hours of computing."""
        if odd := [name for name in self.attributes if name not in EDITED]:
            raise ValueError(f"--attributes {odd[0]}: the paper's table is of {', '.join(EDITED)}")
        if unknown := [name for name in self.sparse if name not in ATTRIBUTES]:
            raise ValueError(f"unknown attribute {unknown[0]!r}: the classifiers know {', '.join(ATTRIBUTES)}")
        if lacking := [name for name in self.attributes if name not in self.sparse]:
            raise ValueError(f"--sparse lacks {lacking[0]}, which is edited")
        if "pictures" not in self.metrics or not {"identity", "identity_dlib"} & set(self.metrics):
            raise ValueError("--metrics needs pictures, and identity_dlib or identity: the paper's table is of them")
        if twice := [one for one in (self.attributes, self.sparse) if len(set(one)) < len(one)]:
            raise ValueError(f"{', '.join(twice[0])} names an attribute twice")
        return self

    @property
    def each(self) -> int:
        """Faces edited, of each attribute."""
        return self.rows or (100 if self.on_gpu else 10)

    def looked_at(self, primals: Sequence[str]) -> int:
        """Faces from which those are taken that lack the attribute."""
        return self.others or 5 * self.each

    @property
    def labels(self) -> tuple[str, ...]:
        """Attributes that faces are labelled by: those that directions are fitted for."""
        return tuple(name for name in attributes_of(self.classifiers) if name in {*self.sparse, *EDITED})

    @property
    def tables(self) -> tuple[str, ...]:
        """Of the interventions."""
        return tuple(f"{self.folder(attribute, OURS)}/edits" for attribute in self.attributes)

    @property
    def measure(self) -> MeasureSpec:
        """What measures them, one face at a time, as they were edited. Raises ValidationError where there is no such
        metric.
        """
        return MeasureSpec(
            edits=self.tables, families=self.judge, measured=self.attributes, metrics=self.metrics,
            out=self.url("measured"), **{**self.scoring, "batch_size": 1},
        )  # fmt: skip

    @property
    def start(self) -> str:
        """The method that makes the first move alone."""
        return IN_Z if self.space == "z" else IN_W

    def check(self) -> None:
        """Check inputs before hours of computing. Raises SpecError, ModelFileError and StoreError."""
        for name in self.measure.metrics:
            BY_NAME[name].open("cpu", self.judge)
        for space in SPACES:
            self.check_from(EDITED, space)
        labelled = self.sparse if self.from_ is None else Table.open(self.labelled_faces.labels).schema.arrow.names
        if lacking := [name for name in self.sparse if name not in labelled]:
            there = ",".join(name for name in self.sparse if name in labelled)
            raise SpecError(f"--from: its faces have no labels of {', '.join(lacking)}: pass --sparse {there}")


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    return run_study(StyleInterventionSpec, argv, make, cost)


def cost(spec: StyleInterventionSpec) -> Passes:
    """All of it; flags and networks are looked at first."""
    spec.check()
    labelled = labelling_cost(spec, spec.labelled, spec.labels) if spec.from_ is None else Passes()
    return labelled + Passes(spec.looked_at(spec.attributes)) + ahead(spec)


def ahead(spec: StyleInterventionSpec) -> Passes:
    """Once faces are labelled: interventions, made again to measure them; moves, and those at the same scores; and one
    intervention by layer.
    """
    config = Config()
    forward, backward = config.passes([config.request(EDITED[0])], generators.load(spec.generator, backend="eager"))
    solved = Passes(forward, backward, forward, backward)
    made = 2 * (2 + len(INTERPOLATED)) + 3 * (1 + len(spec.strengths) + MEETS)
    return sum(spec.each * len(spec.attributes) * [solved + Passes(made)], solved)


def make(spec: StyleInterventionSpec) -> Page:
    """All steps, each of which goes on where it stopped; then the page."""
    say_ahead(cost(spec))
    faces = spec.labelled_faces
    if spec.from_ is None:
        label_faces(spec, spec.labelled, SPACES, EDITED, spec.labels)
    fit_sparse(spec, faces, spec.sparse, "--sparse, or how many faces are labelled")
    chosen = faces_that_lack(spec, spec.attributes)
    say_time_left(ahead(spec), spec.url("others-judged"))
    for attribute, rows in chosen.items():
        edit(spec, faces, attribute, rows)
    step(spec.measure, "--judge, --metrics or the flags of the run")
    numbers = of_faces(spec.measure.out, spec.tables, [BY_NAME[name].table for name in spec.metrics])
    results = meet(spec, read_results(spec, numbers))
    case = next((one for one in results if one.attribute == CASE), results[0])
    by_layer = [sections.after_layers(*keep_layers(spec, faces, case.attribute, row)) for row in case.faces[:1]]
    return page(spec, faces, results, by_layer)


def read_results(spec: StyleInterventionSpec, numbers: pd.DataFrame) -> list[Result]:
    """Of each attribute of which a face was solved for. Raises SpecError where there is none."""
    found = [
        read(attribute, {method: spec.folder(attribute, method) for method in FOLDERS}, numbers, NUMBERS)
        for attribute in spec.attributes
    ]
    for one in found:
        if not one.faces:
            say(f"Note  no face was solved for {one.attribute}, which is left out: {', '.join(set(one.ends))}")
    if not any(one.faces for one in found):
        raise SpecError("nothing was solved for: see the column stop of the edits")
    return [one for one in found if one.faces]


def meet(spec: StyleInterventionSpec, results: Sequence[Result]) -> list[Result]:
    """With the other methods' faces where the judge's score is that of the intervention."""
    moves = MeasuredMoves(spec, spec.metrics, spec.attributes)
    found = []
    for one in results:
        folders = {method: spec.folder(one.attribute, method) for method in FOLDERS if method != OURS}
        met = {method: moves.at_scores(folder, one.attribute, one.raised) for method, folder in folders.items()}
        found.append(replace(one, met=met))
    return found


# -- the page ---------------------------------------------------------------------------------------------------------


def page(
    spec: StyleInterventionSpec, faces: LabelledFaces, results: Sequence[Result], by_layer: Sequence[study.Strip]
) -> Page:
    """Strips, claims, Table 1, Table 2 and what is beside it, Fig. 5, 6 and 2."""
    as_far = dict.fromkeys((IN_Z, IN_W, CONDITIONAL), 1 + spec.strengths.index(spec.move))
    often, often_claims = sections.as_often(results, as_far, spec.start)
    numbers = {name: what for name, what in sections.WHAT.items() if name in ("mse", "ssim", *spec.metrics)}
    whose = "identity_dlib" if "identity_dlib" in spec.metrics else "identity"
    masks = Masks(spec, faces)
    layers, drops = sections.layers({one.attribute: spec.folder(one.attribute, OURS) for one in results}, by_layer)
    return Page(
        title="Style Intervention",
        lead=paper.LEAD,
        strips=[strips(spec, masks, one, STRIPS) for one in results],
        claims=[
            *sections.best(results, "mse", "The whole picture changes least (MSE)", EDITED),
            *sections.best(results, "ssim", "The whole picture stays most similar (SSIM)", EDITED),
            *sections.best(results, whose, "The identity is kept best (not on age)", paper.BEST_IDENTITY),
            *often_claims,
            *drops,
        ],
        sections=[
            sections.sparse(spec.url("fit-s"), spec.sparse, faces.asked("rows")),
            sections.equal_success(results, numbers),
            sections.by_region(results, OUTSIDE, often),
            sections.strengths(results, "mse_outside"),
            layers,
            feature_maps.section(spec, faces, spec.url("fit-s"), spec.attributes),
        ],
        facts={
            "Faces": f"{faces.said}, {spec.each:,} others of each attribute edited",
            "First move": f"in {spec.space}, {spec.move:g} standard deviations of the distance to the boundary",
            "Directions": Table.open(faces.fitted(spec.space)).digest,
            "Sparse directions": Table.open(spec.url("fit-s", "directions")).digest,
        },
    )
