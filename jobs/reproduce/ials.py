"""`stylemill reproduce ials`: whether a face's own gradients edit it better than directions shared by all faces."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain

from pydantic import Field, model_validator

from jobs.directions.spec import FitSpec
from jobs.dt.plan import faces as passes_of
from jobs.dt.spec import FEW, PAIRS, STUDIED, DtSpec, as_pair, gradients
from jobs.flags import Names
from jobs.reproduce.cost import Passes, say_ahead, say_time_left
from jobs.reproduce.dt_edits import edit_pictured, run, work
from jobs.reproduce.faces import FacesFlags, label_faces, labelling_cost, other_faces
from jobs.reproduce.step_size import StepSize, TrialFlags, step_sizes
from jobs.reproduce.study import run_study, step
from pipeline.errors import SpecError
from pipeline.metrics import LEVEL, Cell, Pair
from pipeline.models.classifiers import ATTRIBUTES
from pipeline.report.claims import Page
from pipeline.report.dt import paper as said
from pipeline.report.dt.paper import CHOICE
from pipeline.report.dt.result import PairResult
from pipeline.report.dt.sections import pair_section
from pipeline.report.dt.strips import CELLS, Strips
from pipeline.report.dt.study import ablation, areas_section, beside_paper, families, plateau_claims
from pipeline.report.fits import cosine_grid
from pipeline.tables import Table, store

ON_CPU = ("male:smile", "old:eyeglasses")
PAPER = StepSize(0.1, 20)


class IalsSpec(TrialFlags, FacesFlags):
    """Choose step sizes, compute DT curves, leave out parts of the method, make strips, and compare with the paper.

    Example: stylemill reproduce ials --from out/interfacegan --rows 60 --out out/ials
    """

    VERB = "reproduce ials"

    pairs: Names = Field(
        (), description=f"PRIMAL:CONDITION,... Default: {','.join(ON_CPU)}; on a GPU all 12 of four attributes."
    )
    lambdas: Names = Field((), description=f"LAMBDA1:LAMBDA2,... Default: {','.join(FEW)}; on a GPU --grid 0.25.")
    grid: float | None = Field(
        None, gt=0, le=1, description="In place of --lambdas: all combinations of the lambdas 0, GRID, ... 1."
    )
    steps: int | None = Field(None, ge=2, description=f"Steps of each edit. Default: 10; on a GPU {PAPER.steps}.")
    paper_steps: bool = Field(
        False,
        description=f"Curves of the paper's {PAPER.steps} steps of {PAPER.length:g} of all cells and --rows, as always "
        "on a GPU; else they are of 1:1 and 0.75:0, and of --ablated faces.",
    )
    ablated: int = Field(32, ge=4, description="Ablations: faces of each pair, at most.")
    gradient_faces: int = Field(64, gt=0, description="Labelled faces over which gradients are averaged to directions.")
    pictured: Names = Field(
        (), description="Pairs whose faces are shown on the page. Default: the two of a CPU, else the first two."
    )

    @model_validator(mode="after")
    def _agrees(self) -> "IalsSpec":
        if self.lambdas and self.grid is not None:
            raise ValueError("give --lambdas or --grid, one of the two")
        if unknown := [name for word in self.pairs for name in word.split(":") if name not in ATTRIBUTES]:
            raise ValueError(f"--pairs: unknown attribute {unknown[0]!r}: the classifiers know {', '.join(ATTRIBUTES)}")
        if len(set(self.edited)) < len(self.pairs):
            raise ValueError("--pairs names a pair twice")
        if odd := [word for word in self.pictured if as_pair(word) not in self.edited]:
            raise ValueError(f"--pictured {odd[0]}: it is not one of the pairs")
        return self

    @property
    def edited(self) -> tuple[Pair, ...]:
        """The pairs."""
        return tuple(map(as_pair, self.pairs or (PAIRS if self.on_gpu else ON_CPU)))

    @property
    def shown(self) -> tuple[Pair, ...]:
        """Those of them of which strips are made."""
        usual = tuple(pair for pair in map(as_pair, ON_CPU) if pair in self.edited)
        return tuple(map(as_pair, self.pictured)) or usual or self.edited[:2]

    @property
    def attributes(self) -> tuple[str, ...]:
        """Of all pairs."""
        return tuple(dict.fromkeys(chain(*self.edited)))

    @property
    def primals(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(primal for primal, _ in self.edited))

    @property
    def taken(self) -> int:
        """Steps of each edit."""
        return self.steps or (PAPER.steps if self.on_gpu else 10)

    def dt(
        self, pair: Pair, size: StepSize, name: str, cells: Sequence[Cell] = (), rows: int = 0, directions: str = "",
        no_incremental: bool = False,
    ) -> DtSpec:  # fmt: skip
        """Curves of a pair in the folder NAME-PRIMAL-CONDITION: of all cells and rows and along the SVMs' directions,
        where no others are given.
        """
        grid = None if cells else self.grid or (0.25 if self.on_gpu and not self.lambdas else None)
        lambdas = tuple(f"{first:g}:{second:g}" for first, second in cells) or self.lambdas or FEW
        return DtSpec(
            latents=(self.url("others", "latents"),),
            labels=(self.url("others-judged", "labels"), self.url("others-judged", f"labels_{self.classifiers}")),
            directions=(directions or self.labelled_faces.fitted("w"),), pairs=(":".join(pair),),
            lambdas=FEW if grid else lambdas, grid=grid, rows=rows or self.each, no_incremental=no_incremental,
            step_size=float(f"{size.length:.6g}"), steps=size.steps, classifiers=self.classifiers, judge=self.judge,
            out=self.url(f"{name}-{'-'.join(pair)}"), **self.scoring,
        )  # fmt: skip

    def runs(self, pair: Pair, size: StepSize) -> dict[str, DtSpec]:
        """Of one pair with its own step size, with the paper's, without incremental updating, and along directions that
        are means of gradients.
        """
        few, cells = min(self.ablated, self.each), (LEVEL, CHOICE)
        whole = self.paper_steps or self.on_gpu
        return {
            "own": self.dt(pair, size, "dt"),
            "paper": self.dt(pair, PAPER, "dt-paper") if whole else self.dt(pair, PAPER, "dt-paper-few", cells, few),
            "kept": self.dt(pair, size, "dt-kept", (CHOICE,), few, no_incremental=True),
            "gradient": self.dt(pair, size, "dt-gradient", cells, few, self.url("fit-gradient", "directions")),
        }

    def check(self) -> None:
        """Look before hours of computing. Raises SpecError and StoreError."""
        for pair in self.edited:
            if not {LEVEL, CHOICE} <= set(self.dt(pair, PAPER, "dt").cells):
                raise SpecError("--lambdas: the study compares 0.75:0 with 1:1: include both")
        if self.from_ is None and (more := set(self.attributes) - set(STUDIED)):
            raise SpecError(f"--pairs: without --from directions are fitted of {', '.join(STUDIED)}, not {more}")
        self.check_from(self.attributes)


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    return run_study(IalsSpec, argv, make, cost)


def cost(spec: IalsSpec) -> Passes:
    """All of it."""
    spec.check()
    labelled = labelling_cost(spec, spec.labelled) if spec.from_ is None else Passes()
    return ahead(spec) + labelled + Passes(spec.looked_at(spec.primals))


def ahead(spec: IalsSpec) -> Passes:
    """Once faces are labelled: step sizes, directions, curves and strips."""
    each = [asked for pair in spec.edited for asked in spec.runs(pair, StepSize(1.0, spec.taken)).values()]
    strips, steps = 2 * len(spec.shown), spec.taken
    pictures = Passes((len(CELLS) + 1) * (steps + 1), steps * sum(map(gradients, CELLS)) + gradients(CHOICE))
    averaged = Passes(spec.gradient_faces, spec.gradient_faces * len(spec.attributes))
    runs = [Passes(*passes_of(asked)) for asked in each]
    return sum([spec.trial_cost(spec.edited), averaged, *runs, *strips * [pictures]], Passes())


def make(spec: IalsSpec) -> Page:
    """All steps, each of which goes on where it stopped; then the page."""
    spec.check()
    say_ahead(cost(spec))
    faces = spec.labelled_faces
    if spec.from_ is None:
        label_faces(spec, spec.labelled, ("w",), STUDIED)
    labels = Table.open(faces.labels).read(columns=list(spec.attributes))[: spec.gradient_faces]
    for name in spec.attributes:
        if not (labels[name].to_numpy() < 0).any():
            raise SpecError(
                f"none of the first {len(labels):,} labelled faces lacks {name}, so that there is no gradient towards "
                "it to average: pass more --gradient-faces"
            )
    other_faces(spec, spec.primals)
    say_time_left(ahead(spec), spec.url("others-judged"))
    sizes = step_sizes(spec, faces.fitted("w"), spec.edited, spec.taken)
    averaged = FitSpec(
        method="mean-gradient", latents=(faces.latents,), rows=spec.gradient_faces, opposite=True,
        attributes=spec.attributes, space="w", classifiers=spec.classifiers, out=spec.url("fit-gradient"),
        **spec.scoring,
    )  # fmt: skip
    step(averaged, "--gradient-faces or the flags of the run")
    asked = {pair: spec.runs(pair, sizes[pair]) for pair in spec.edited}
    found = {pair: {what: run(one) for what, one in its.items()} for pair, its in asked.items()}
    strips = []
    for pair in spec.shown:
        strips.append(Strips(spec.url(f"pictures-{'-'.join(pair)}"), found[pair]["own"], found[pair]["kept"]))
        edit_pictured(strips[-1], asked[pair]["own"], Table.open(spec.url("others", "latents")),
                      min(256, faces.generator.resolution), spec.scoring)  # fmt: skip
    took = {f"Work, {'|'.join(pair)}, {what}": work(one) for pair, its in asked.items() for what, one in its.items()}
    return page(spec, sizes, list(found.values()), strips, took)


# -- the page ---------------------------------------------------------------------------------------------------------


def page(
    spec: IalsSpec,
    sizes: Mapping[Pair, StepSize],
    found: Sequence[Mapping[str, PairResult]],
    strips: Sequence[Strips],
    took: Mapping[str, str],
) -> Page:
    """Strips, claims, curves with the own steps and the paper's, both families, what was left out."""
    own, paper = ([its[what] for its in found] for what in ("own", "paper"))
    kept, kept_claims = ablation([(its["own"], its["kept"]) for its in found], (CHOICE,), said.KEPT)
    mean, mean_claims = ablation([(its["own"], its["gradient"]) for its in found], (LEVEL, CHOICE), said.MEANS)
    better = "(1, 1), which is InterFaceGAN, is worse than the cells around the paper's choice"
    steps, short = f"{PAPER.steps} steps of {PAPER.length:g}", f", steps of {PAPER.length:g}"
    labelled = spec.labelled_faces
    folders = (store.join(labelled.folder, "fit-w"), spec.url("fit-gradient"))
    return Page(
        title="IALS",
        lead=said.LEAD,
        strips=[one.section() for one in strips],
        claims=[
            *(claim for one in own for claim in plateau_claims(better, one)),
            *(claim for one in paper for claim in plateau_claims(f"The same with the paper's {steps}", one, short)),
            *kept_claims,
            *mean_claims,
        ],
        sections=[
            areas_section("Is (1, 1) worse? (Table 1, Eq. 7)", own, said.STEPS),
            beside_paper(own),
            *map(pair_section, own),
            areas_section(f"The same with the paper's {steps}", paper, f"They go {PAPER.length * PAPER.steps:g} far."),
            *(pair_section(one, short) for one in paper),
            families(own),
            kept,
            replace(mean, parts=[cosine_grid(folders, spec.attributes), *mean.parts]),
        ],
        facts={
            "Faces": f"{labelled.said}, {spec.looked_at(spec.primals):,} others of which those are "
            f"edited that start in the source class, {spec.each:,} of each pair",
            "Directions": Table.open(labelled.fitted("w")).digest,
            f"Means of {spec.gradient_faces:,} gradients": Table.open(spec.url("fit-gradient", "directions")).digest,
            **{f"Steps of {'|'.join(pair)}": str(size) for pair, size in sizes.items()},
            **took,
        },
    )
