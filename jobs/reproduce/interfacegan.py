"""`stylemill reproduce interfacegan`: what the paper says of PGGAN and StyleGAN, asked of the generator at hand."""

from collections.abc import Sequence

from pydantic import Field, model_validator

from jobs.flags import Names, Spec, parse, say
from jobs.launch import command
from jobs.places import absolute
from jobs.reproduce import local, step
from jobs.reproduce.cost import say_cost
from jobs.reproduce.directions_study import Study
from jobs.reproduce.edits_study import changes, far_away
from jobs.reproduce.paper_interfacegan import LEAD
from pipeline.models.classifiers import ATTRIBUTES
from pipeline.models.randomness import MAX_SEED
from pipeline.report import study
from pipeline.tables import store

SPACES = ("w", "z")
FAR = 8.0
"""How far past the boundary the strips go, in standard deviations of the distance."""
STRENGTHS, SHARES = (1.5, 3.0, 4.5, 6.0), (-1, -0.5, -0.25, 0.25, 0.5, 1)
"""Of the edits that are measured, in such deviations; and of the strips, in shares of FAR."""


class InterfaceganSpec(Spec):
    """Label faces, fit directions in Z and W, edit, measure, and put the paper's tables beside ours.

    Example: stylemill reproduce interfacegan --rows 4000 --out out/interfacegan
    """

    VERB = "reproduce interfacegan"

    out: str = Field(description="Directory: tables, one folder a step, and report.html.")
    rows: int = Field(4000, ge=400, description="Labelled faces to fit on.")
    edited: int = Field(48, ge=4, description="Other faces, to be edited and measured.")
    seed: int = Field(1, ge=0, le=MAX_SEED - 1, description="Of the labelled faces; the edited ones have the next.")
    generator: str = Field("mobilestylegan-ffhq", description="A generator by name.")
    classifiers: str = Field("faces", description="The family that labels.")
    judge: str = Field("judge", description="The family that measures edits.")
    attributes: Names = Field(("yaw", "smile", "old", "male", "eyeglasses"), description="In the paper's order.")
    primal: str = Field("old", description="What is edited.")
    condition: str = Field("eyeglasses", description="What the edit is to leave alone.")
    flags: Names = Field((), description="Words added to each job that makes pictures, as in --local,--threads,2.")
    dry_run: bool = Field(False, description="Say how many passes through the generator and hours it is, and stop.")

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


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    spec = parse(InterfaceganSpec, argv)
    if spec.dry_run:
        families = (spec.classifiers, spec.judge)
        say_cost(passes(spec), 0, spec.generator, families, spec.attributes, spec.flags)
        return 0
    out = absolute(spec.out)
    faces, others = store.join(out, "faces"), store.join(out, "others")
    models = ("--generator", spec.generator, "--classifiers", spec.classifiers)
    step("dataset", *models, "--rows", str(spec.rows), "--seed", str(spec.seed), "--out", faces, *spec.flags,
         change="--generator, --classifiers or --flags")  # fmt: skip
    for space in SPACES:
        tables = ("--latents", f"{faces}/latents", "--labels", f"{faces}/labels")
        step("directions", "fit", *tables, "--space", space, "--out", f"{out}/fit-{space}",
             *local(spec.flags), change="--rows (more labelled faces, and another --out)")  # fmt: skip
    found = Study.read(out, spec.attributes, SPACES)
    step("sample", "--generator", spec.generator, "--rows", str(spec.edited), "--seed", str(spec.seed + 1),
         "--out", others, *local(spec.flags), change="--generator or --edited")  # fmt: skip
    edits = [_edit(spec, out, space, on, found) for space in SPACES for on in ((), ("--preserve", spec.condition))]
    step("measure", "--edits", ",".join(f"{url}/edits" for url in edits), "--families", spec.judge, "--identity",
         "--out", f"{out}/measured", *spec.flags, change="--judge or --flags")  # fmt: skip
    _edit_far(spec, out, found)
    strips, numbers = changes(out, edits, spec.primal, spec.condition, found)
    sections = [strips, far_away(out, spec.attributes, found), *found.sections(), numbers]
    facts = {"Command": command(), "Faces": f"{spec.rows:,} labelled, {spec.edited:,} others edited", **found.facts}
    say(f"Page  {study.write(store.join(out, 'report.html'), 'InterFaceGAN', LEAD, sections, facts)}")
    return 0


def passes(spec: InterfaceganSpec) -> int:
    """Faces to be made: labelled; edited with and without the condition in each space, and made again to measure whose
    they are; moved far.
    """
    edited = 2 * len(SPACES) * spec.edited * (1 + len(STRENGTHS))
    return spec.rows + 2 * edited + 2 * (1 + len(spec.attributes) * len(SHARES))


def _edit(spec: InterfaceganSpec, out: str, space: str, on: Sequence[str], found: Study) -> str:
    url = f"{out}/edit-{space}{'-on' if on else ''}"
    strengths = ",".join(f"{k * found.unit(space, spec.primal):.4f}" for k in STRENGTHS)
    step("edit", "interfacegan", "--latents", f"{out}/others/latents", "--directions", f"{out}/fit-{space}/directions",
         "--attribute", spec.primal, *on, f"--strengths={strengths}", "--scores", "both", "--judge", spec.judge,
         "--classifiers", spec.classifiers, "--images", "webp", "--size", str(found.picture_size),
         "--out", url, *spec.flags, change="--primal, --condition, --judge or --flags")  # fmt: skip
    return url


def _edit_far(spec: InterfaceganSpec, out: str, found: Study) -> None:
    """Two faces moved far past every boundary (the paper's Fig. 3)."""
    step("sample", "--generator", spec.generator, "--rows", "2", "--seed", str(spec.seed + 1), "--out", f"{out}/two",
         *local(spec.flags), change="--generator")  # fmt: skip
    unit = sum(found.unit("w", name) for name in spec.attributes) / len(spec.attributes)
    strengths = ",".join(f"{share * FAR * unit:.4f}" for share in SHARES)
    step("edit", "interfacegan", "--latents", f"{out}/two/latents", "--directions", f"{out}/fit-w/directions",
         "--attribute", ",".join(spec.attributes), f"--strengths={strengths}", "--scores", "faces",
         "--classifiers", spec.classifiers, "--images", "webp", "--size", str(found.picture_size),
         "--out", f"{out}/far", *spec.flags, change="--attributes or --flags")  # fmt: skip
