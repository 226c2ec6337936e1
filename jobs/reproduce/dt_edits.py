"""Steps of a study of DT curves: a `stylemill dt` of one pair, and edits of two of its faces with pictures."""

import math
from collections.abc import Mapping
from typing import Any

from jobs.dt.plan import passes
from jobs.dt.spec import DtSpec
from jobs.reproduce.study import edit_spec, step
from pipeline.engine.job_records import JobRecords
from pipeline.metrics import LEVEL
from pipeline.report import wording
from pipeline.report.dt.paper import CHOICE
from pipeline.report.dt.result import PairResult, read
from pipeline.report.dt.strips import CELLS, KEPT, Strips, folder
from pipeline.stages.copied_latents import copy_rows
from pipeline.tables import Table, store


def run(asked: DtSpec) -> PairResult:
    """Run it, or go on with it; what it found for its only pair. Raises SpecError where it does not end well."""
    step(asked, "--rows, --others, --lambdas, --steps or the flags of the run")
    (result,) = read(asked.out)
    return result


def work(asked: DtSpec) -> str:
    """Passes through the generator, and seconds of computing over all of its shards."""
    done = JobRecords(asked.out, "dt").outcomes().values()
    seconds = math.fsum(outcome.counters.get("seconds", 0.0) for outcome in done)
    return f"{passes(asked)}; {wording.duration(seconds)}"


def edit_pictured(strips: Strips, asked: DtSpec, latents: Table, size: int, scoring: Mapping[str, Any]) -> None:
    """Edit the very latents that were measured, with pictures of every cell that is shown."""
    if not strips.faces:
        return
    copied, (primal, condition) = store.join(strips.url, "latents"), strips.result.pair
    copy_rows(latents, strips.faces, copied)
    same = {
        "latents": (copied,), "directions": asked.directions, "attribute": (primal,),
        "preserve": (condition,), "target": asked.target, "step_size": asked.step_size, "steps": asked.steps,
        "classifiers": asked.classifiers, "judge": asked.judge, "scores": "judge", "scored": (primal, condition),
        "images": "webp", "size": size, **scoring,
    }  # fmt: skip
    for cell in CELLS:
        keep = "all" if cell in (LEVEL, CHOICE) else "last"
        out = store.join(strips.url, folder(cell))
        step(edit_spec("ials", **same, lambda1=cell[0], lambda2=cell[1], keep=keep, out=out))
    step(edit_spec("ials", **same, lambda1=CHOICE[0], lambda2=CHOICE[1], no_incremental=True, keep="all",
                   out=store.join(strips.url, KEPT)))  # fmt: skip
