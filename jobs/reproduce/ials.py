"""`stylemill reproduce ials`: is it worth asking the face itself which way its attribute lies?"""

from collections.abc import Mapping, Sequence

from jobs.dt.spec import LEVEL, STUDIED, Cell
from jobs.flags import parse, say
from jobs.launch import command
from jobs.reproduce import local, step
from jobs.reproduce.dt_runs import DtRun
from jobs.reproduce.ials_plan import CHOICE, PAPER, IalsSpec, Plan, as_pair
from jobs.reproduce.ials_strips import Pictures
from jobs.reproduce.ials_study import LEAD, Found, facts, sections
from jobs.reproduce.step_size import BOUND, TOLERANCE, StepSize, keep, of_trial
from pipeline.errors import SpecError
from pipeline.metrics import in_source_class
from pipeline.models import generators
from pipeline.report import study
from pipeline.tables import Table

PICTURE = 256


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    plan = Plan(parse(IalsSpec, "reproduce ials", argv))
    plan.check()
    found = run(plan)
    about = {"Command": command(), **facts(found)}
    say(f"Page  {study.write(plan.url('report.html'), 'IALS', LEAD, sections(found), about)}")
    return 0


def run(plan: Plan) -> Found:
    """All steps, each of which goes on where it stopped. Raises SpecError where one does not end well."""
    _label_faces(plan)
    _judge_others(plan)
    sizes = _step_sizes(plan)
    own = {pair: plan.dt(pair, sizes[pair], "dt").run() for pair in plan.pairs}
    paper = {pair: plan.dt(pair, PAPER, "dt-paper").run() for pair in plan.pairs if plan.paper_steps}
    kept, gradient = _ablations(plan, sizes)
    pictures = [Pictures(plan.url(f"pictures-{'-'.join(as_pair(pair))}"), own[pair]) for pair in plan.pictured]
    for one in pictures:
        _make_pictures(plan, one)
    return Found(plan, sizes, own, paper, kept, gradient, pictures)


def _label_faces(plan: Plan) -> None:
    """Labelled faces, and a direction of each attribute, where they are not taken from another folder.

    Raises:
        SpecError: none of the faces whose gradients will be averaged lacks an attribute.
    """
    if plan.spec.from_ is None:
        _make_faces(plan)
    labels = Table.open(f"{plan.faces}/labels").read(columns=list(plan.attributes))[: plan.spec.gradient_faces]
    for name in plan.attributes:
        if not (labels[name].to_numpy() < 0).any():
            raise SpecError(
                f"none of the first {len(labels):,} labelled faces lacks {name}, so that there is no gradient towards "
                "it to average: pass more --gradient-faces"
            )


def _make_faces(plan: Plan) -> None:
    spec = plan.spec
    step("dataset", "--generator", spec.generator, "--classifiers", spec.classifiers, "--rows", str(spec.labelled),
         "--seed", str(spec.seed), "--out", plan.faces, *spec.flags)  # fmt: skip
    step("directions", "fit", "--latents", f"{plan.faces}/latents", "--labels", f"{plan.faces}/labels", "--space", "w",
         "--attributes", ",".join(STUDIED), "--out", plan.url("fit-w"), *local(spec.flags))  # fmt: skip


def _judge_others(plan: Plan) -> None:
    """Other faces, and who of them starts in the source class. Raises SpecError where too few do."""
    _sample(plan, plan.spec.seed + 1, str(plan.others), "others")
    step("label", "--latents", plan.url("others", "latents"), "--classifiers", plan.spec.judge,
         "--out", plan.url("others-judged"), *plan.spec.flags)  # fmt: skip
    labels = Table.open(plan.url("others-judged", "labels")).read(columns=list(plan.attributes))
    for primal in dict.fromkeys(as_pair(pair)[0] for pair in plan.pairs):
        there = int(in_source_class(labels[primal].to_numpy(), 1).sum())
        if there < plan.rows:
            raise SpecError(
                f"{there:,} of {plan.others:,} other faces start without {primal}, and --rows {plan.rows} are asked: "
                f"pass --rows {there} --others {plan.others}, or more --others and another --out"
            )


def _step_sizes(plan: Plan) -> dict[str, StepSize]:
    """Of each pair, as given or chosen on faces that are not used again."""
    spec = plan.spec
    if spec.step_size is not None:
        return {pair: StepSize(spec.step_size, plan.steps) for pair in plan.pairs}
    _sample(plan, spec.seed + 2, str(2 * spec.trial), "trial")
    sizes = {}
    for pair in plan.pairs:
        primal, condition = as_pair(pair)
        url = plan.url(f"trial-{primal}-{condition}")
        step("edit", "--latents", plan.url("trial", "latents"), "--directions", plan.directions,
             "--attribute", primal, "--on", condition, "--until", "0", "--target", "1", "--bound", f"{BOUND:g}",
             "--tolerance", f"{TOLERANCE:g}", "--classifiers", spec.judge, "--out", url, *spec.flags)  # fmt: skip
        sizes[pair] = of_trial(url, spec.trial, plan.steps)
        say(f"      {primal}|{condition}: {sizes[pair]}")
    keep(plan.url("step-sizes.json"), sizes)
    return sizes


def _ablations(plan: Plan, sizes: Mapping[str, StepSize]) -> tuple[dict[str, DtRun], dict[str, DtRun]]:
    """Curves of fewer faces: with the source's direction kept, and with directions that are means of gradients."""
    spec = plan.spec
    step("directions", "fit", "--method", "mean-gradient", "--latents", f"{plan.faces}/latents",
         "--rows", str(spec.gradient_faces), "--opposite", "--attributes", ",".join(plan.attributes), "--space", "w",
         "--classifiers", spec.classifiers, "--out", plan.url("fit-gradient"), *spec.flags)  # fmt: skip
    kept, gradient = {}, {}
    for pair in plan.pairs:
        size, choice, level = sizes[pair], _word(CHOICE), _word(LEVEL)
        kept[pair] = plan.dt(pair, size, "dt-kept", "--no-incremental", lambdas=[choice], rows=plan.ablated).run()
        gradient[pair] = plan.dt(
            pair, size, "dt-gradient", lambdas=[level, choice], rows=plan.ablated, directions=plan.by_gradients
        ).run()
    return kept, gradient


def _make_pictures(plan: Plan, pictures: Pictures) -> None:
    size = min(PICTURE, generators.load(plan.spec.generator, backend="eager").resolution)
    sampling = (
        "--generator",
        plan.spec.generator,
        "--seed",
        str(plan.spec.seed + 1),
        *local(plan.spec.flags),
        "--batch-size",
        "1",
    )  # which may begin at any row
    pictures.make(sampling, ("--size", str(size), *plan.spec.flags))


def _sample(plan: Plan, seed: int, rows: str, name: str) -> None:
    step("sample", "--generator", plan.spec.generator, "--seed", str(seed), "--rows", rows, "--out", plan.url(name),
         *local(plan.spec.flags))  # fmt: skip


def _word(cell: Cell) -> str:
    return f"{cell[0]:g}:{cell[1]:g}"
