"""What a study of IALS takes, in passes through the generator, and in time once some faces have been made."""

import math

from jobs.dt.spec import gradients
from jobs.reproduce.cost import BACKWARD, say_cost
from jobs.reproduce.dt_runs import DtRun
from jobs.reproduce.ials_plan import Plan
from jobs.reproduce.ials_strips import CELLS, KEPT
from jobs.reproduce.step_size import LOOKS, StepSize
from pipeline.engine.books import Books
from pipeline.report import wording
from pipeline.tables import Table, store


def told(plan: Plan) -> str:
    """What will be made, of all steps together."""
    forward, backward = _curves(plan)
    made, passed = _before(plan)
    return (
        f"{forward + made:,} faces forward, {backward + passed:,} backward, most of which are judged: {forward:,} and "
        f"{backward:,} for curves and pictures, the others for labels, step sizes and directions; what is there "
        "already is not made again"
    )


def say_all(plan: Plan) -> None:
    """Before anything is made: all passes, and the hours that they take here."""
    forward, backward = _curves(plan)
    made, passed = _before(plan)
    spec = plan.spec
    families = (spec.classifiers, spec.judge)
    say_cost(forward + made, backward + passed, spec.generator, families, plan.attributes, spec.flags)


def told_time(plan: Plan, labelled: str) -> str:
    """How long that takes, from how long it took to label the faces in the folder `labelled`; empty where unknown."""
    done = Books(labelled, "label").outcomes().values()
    seconds = math.fsum(outcome.counters.get("seconds", 0.0) for outcome in done)
    faces = sum(record.rows for record in Table.open(store.join(labelled, "labels")).records())
    if not seconds or not faces:
        return ""
    forward, backward = _curves(plan)
    averaged, passed = _averaged(plan)
    whole = (forward + _searched(plan) + averaged + BACKWARD * (backward + passed)) * seconds / faces
    return (
        f"from here on about {wording.duration(whole)} of computing or less, from the {seconds / faces:.2g} s that "
        f"each of {faces:,} faces took to be made and judged, and a backward pass as {BACKWARD:g} forward"
    )


def _curves(plan: Plan) -> tuple[int, int]:
    """Faces forward and backward of curves and pictures."""
    size = StepSize(1.0, plan.steps)
    runs: list[DtRun] = []
    for pair in plan.pairs:
        runs += [plan.own(pair, size), plan.paper(pair), plan.kept(pair, size), plan.gradient(pair, size)]
    strips = 2 * len(plan.pictured)
    forward = strips * (len(CELLS) + 1) * (plan.steps + 1)
    backward = strips * (plan.steps * sum(map(gradients, CELLS)) + KEPT)
    return sum(run.forward for run in runs) + forward, sum(run.backward for run in runs) + backward


def _before(plan: Plan) -> tuple[int, int]:
    """Those of labels, step sizes and directions."""
    averaged, passed = _averaged(plan)
    labelled = plan.spec.labelled if plan.spec.from_ is None else 0
    return labelled + 2 * plan.others + _searched(plan) + averaged, passed


def _averaged(plan: Plan) -> tuple[int, int]:
    """Those of directions that are means of gradients."""
    return plan.spec.gradient_faces, plan.spec.gradient_faces * len(plan.attributes)


def _searched(plan: Plan) -> int:
    """Faces made to choose step sizes, at most."""
    if plan.spec.step_size is not None:
        return 0
    return plan.trial_faces + len(plan.pairs) * plan.spec.trial * LOOKS
