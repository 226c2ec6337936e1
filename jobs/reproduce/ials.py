"""`stylemill reproduce ials`: is it worth asking the face itself which way its attribute lies?"""

from collections.abc import Mapping, Sequence

from jobs.dt.spec import STUDIED
from jobs.flags import parse, say
from jobs.launch import command
from jobs.reproduce import local, step
from jobs.reproduce.dt_runs import DtRun
from jobs.reproduce.ials_cost import say_all, told, told_time
from jobs.reproduce.ials_plan import IalsSpec, Plan, as_pair
from jobs.reproduce.ials_rows import copy_rows
from jobs.reproduce.ials_strips import Pictures
from jobs.reproduce.ials_study import LEAD, Found, facts, sections
from jobs.reproduce.step_size import BOUND, TOLERANCE, StepSize, keep, of_trial
from pipeline.errors import SpecError
from pipeline.metrics import in_source_class
from pipeline.models import generators
from pipeline.report import study
from pipeline.tables import Table

PICTURE = 256
LABELLED_TOGETHER = 16
"""Rows of a shard of the other faces: few, so that all workers take part in labelling some hundred."""


def main(argv: Sequence[str]) -> int:
    """Run the verb; returns the exit code."""
    plan = Plan(parse(IalsSpec, argv))
    plan.check()
    if plan.spec.dry_run:
        say_all(plan)
        return 0
    found = run(plan)
    about = {"Command": command(), **facts(found)}
    say(f"Page  {study.write(plan.url('report.html'), 'IALS', LEAD, sections(found), about)}")
    return 0


def run(plan: Plan) -> Found:
    """All steps, each of which goes on where it stopped. Raises SpecError where one does not end well."""
    say(f"Study {told(plan)}")
    _label_faces(plan)
    _judge_others(plan)
    if time := told_time(plan, plan.url("others-judged")):
        say(f"Study {time}")
    sizes = _step_sizes(plan)
    own = {pair: plan.own(pair, sizes[pair]).run() for pair in plan.pairs}
    paper = {pair: plan.paper(pair).run() for pair in plan.pairs}
    kept, gradient = _ablations(plan, sizes)
    pictures = [
        Pictures(plan.url(f"pictures-{'-'.join(as_pair(pair))}"), own[pair], kept[pair]) for pair in plan.pictured
    ]
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
         "--seed", str(spec.seed), "--out", plan.faces, *spec.flags,
         change="--generator, --classifiers or --flags")  # fmt: skip
    step("directions", "fit", "--latents", f"{plan.faces}/latents", "--labels", f"{plan.faces}/labels", "--space", "w",
         "--attributes", ",".join(STUDIED), "--out", plan.url("fit-w"), *local(spec.flags),
         change="--labelled (more faces, and another --out)")  # fmt: skip


def _judge_others(plan: Plan) -> None:
    """Sample other faces, see by the judge which start in the source class, and label them with the family that edits,
    for kappa.

    Raises:
        SpecError: too few start there.
    """
    lacking = _sample_judged(plan, plan.spec.seed + 1, plan.others, "others")
    for primal, rows in lacking.items():
        if len(rows) < plan.rows:
            raise SpecError(
                f"{len(rows):,} of {plan.others:,} other faces start without {primal}, and --rows {plan.rows} are "
                f"asked: pass --rows {len(rows)} --others {plan.others}, or more --others and another --out"
            )
    _label(plan, "others", plan.spec.classifiers, "others-labelled")


def _step_sizes(plan: Plan) -> dict[str, StepSize]:
    """Of each pair, as given or chosen on faces that are not used again."""
    spec = plan.spec
    if spec.step_size is not None:
        return {pair: StepSize(spec.step_size, plan.steps) for pair in plan.pairs}
    lacking = _sample_judged(plan, spec.seed + 2, plan.trial_faces, "trial")
    for primal, rows in lacking.items():
        if len(rows) < spec.trial:
            raise SpecError(
                f"{len(rows):,} of {plan.trial_faces:,} faces to choose step sizes on start without {primal}, and "
                f"--trial {spec.trial} are asked: pass --trial {len(rows)} --trial-faces {plan.trial_faces}, or more "
                "--trial-faces and another --out"
            )
        copy_rows(Table.open(plan.url("trial", "latents")), rows[: spec.trial], plan.url(f"trial-without-{primal}"))
    sizes = {}
    for pair in plan.pairs:
        primal, condition = as_pair(pair)
        url = plan.url(f"trial-{primal}-{condition}")
        step("edit", "interfacegan", "--latents", plan.url(f"trial-without-{primal}"), "--directions", plan.directions,
             "--attribute", primal, "--preserve", condition, "--until", "0", "--target", "1", "--bound", f"{BOUND:g}",
             "--tolerance", f"{TOLERANCE:g}", "--classifiers", spec.judge, "--out", url, *spec.flags,
             change="--trial or --step-size, which needs no trial,")  # fmt: skip
        sizes[pair] = of_trial(url, spec.trial, plan.steps)
        say(f"      {primal}|{condition}: {sizes[pair]}")
    keep(plan.url("step-sizes.json"), sizes)
    return sizes


def _sample_judged(plan: Plan, seed: int, rows: int, name: str) -> dict[str, list[int]]:
    """Faces in the folder NAME, as the judge sees them: of each attribute that is edited, the rows that lack it."""
    step("sample", "--generator", plan.spec.generator, "--seed", str(seed), "--rows", str(rows),
         "--rows-per-shard", str(LABELLED_TOGETHER), "--batch-size", str(LABELLED_TOGETHER),
         "--out", plan.url(name), *local(plan.spec.flags))  # fmt: skip
    _label(plan, name, plan.spec.judge, f"{name}-judged")
    primals = list(dict.fromkeys(as_pair(pair)[0] for pair in plan.pairs))
    labels = Table.open(plan.url(f"{name}-judged", "labels")).read(columns=["index", *primals])
    index = labels["index"].to_numpy()
    return {primal: index[in_source_class(labels[primal].to_numpy(), 1)].tolist() for primal in primals}


def _label(plan: Plan, name: str, family: str, out: str) -> None:
    step("label", "--latents", plan.url(name, "latents"), "--classifiers", family, "--out", plan.url(out),
         *plan.spec.flags, change="--classifiers, --judge or --flags")  # fmt: skip


def _ablations(plan: Plan, sizes: Mapping[str, StepSize]) -> tuple[dict[str, DtRun], dict[str, DtRun]]:
    """Curves of fewer faces: with the source's direction kept, and with directions that are means of gradients."""
    spec = plan.spec
    step("directions", "fit", "--method", "mean-gradient", "--latents", f"{plan.faces}/latents",
         "--rows", str(spec.gradient_faces), "--opposite", "--attributes", ",".join(plan.attributes), "--space", "w",
         "--classifiers", spec.classifiers, "--out", plan.url("fit-gradient"), *spec.flags,
         change="--gradient-faces or --flags")  # fmt: skip
    kept = {pair: plan.kept(pair, sizes[pair]).run() for pair in plan.pairs}
    return kept, {pair: plan.gradient(pair, sizes[pair]).run() for pair in plan.pairs}


def _make_pictures(plan: Plan, pictures: Pictures) -> None:
    size = min(PICTURE, generators.load(plan.spec.generator, backend="eager").resolution)
    pictures.make(Table.open(plan.url("others", "latents")), ("--size", str(size), *plan.spec.flags))
