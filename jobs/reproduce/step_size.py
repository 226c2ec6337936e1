"""The length of a step: such that attribute-level edits transform nine of ten faces, chosen on separate faces."""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from pydantic import Field

from jobs.flags import say
from jobs.reproduce.cost import Passes
from jobs.reproduce.faces import enough, judge_others
from jobs.reproduce.study import StudySpec, edit_spec, step
from pipeline.editors.trace import not_reached
from pipeline.errors import SpecError
from pipeline.metrics import Pair, step_size
from pipeline.metrics.step_size import SHARE
from pipeline.stages.copied_latents import copy_rows
from pipeline.tables import Table, store

BOUND = 10.0
"""The largest strength tried."""
TOLERANCE = 0.2
"""How closely the strength of a face is found; a fiftieth of what is tried."""

LOOKS = 11
"""Faces made, at most, until the strength of one is found so: the source, doubling up to the bound, and halving."""


@dataclass(frozen=True)
class StepSize:
    """length: of one of `steps` steps. rows: tried, that start in the source class. beyond: of them, never transformed.

    reach: the strength by which `SHARE` of them are transformed, at most `BOUND`; none where the length was given.
    """

    length: float
    steps: int
    reach: float | None = None
    rows: int = 0
    beyond: int = 0

    def __str__(self) -> str:
        if self.reach is None:
            return f"{self.steps} steps of {self.length:.4g}, as asked"
        never = f", {self.beyond} of which were not transformed by a strength of {BOUND:g}" if self.beyond else ""
        too_few = self.beyond > self.rows - step_size.needed(self.rows)
        short = f"; fewer than {SHARE:.0%} ever are, so that the steps end there" if too_few else ""
        return f"{self.steps} steps of {self.length:.4g}, chosen on {self.rows} other faces{never}{short}"


class TrialFlags(StudySpec):
    """Of studies whose steps are to be as long as it takes."""

    trial: int = Field(64, ge=4, description="Further faces of each pair, to choose its step size on.")
    trial_faces: int | None = Field(
        None, gt=0, description="Faces from which these are taken. Default: 3 x --trial, and 4 x where smile is edited."
    )
    step_size: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="Step size for all pairs. Default: chosen for each pair on --trial faces.",
    )

    def tried_of(self, pairs: Sequence[Pair]) -> int:
        """Faces from which those are taken that step sizes are chosen on."""
        return self.trial_faces or enough(self.trial, [primal for primal, _ in pairs], 3, 4)

    def trial_cost(self, pairs: Sequence[Pair]) -> Passes:
        """At most."""
        return Passes(0 if self.step_size is not None else self.tried_of(pairs) + len(pairs) * self.trial * LOOKS)


def step_sizes(spec: TrialFlags, directions: str, pairs: Sequence[Pair], steps: int) -> dict[Pair, StepSize]:
    """Of each pair, as given or chosen on faces that are not used again; DIR/step-sizes.json has them for a person.

    Raises:
        SpecError: too few faces start in the source class, or as `of_trial`.
    """
    if spec.step_size is not None:
        return dict.fromkeys(pairs, StepSize(spec.step_size, steps))
    tried = spec.tried_of(pairs)
    lacking = judge_others(spec, "trial", tried, spec.seed + 2, [primal for primal, _ in pairs])
    for primal, rows in lacking.items():
        if len(rows) < spec.trial:
            raise SpecError(
                f"{len(rows):,} of {tried:,} faces to choose step sizes on start without {primal}, fewer than --trial "
                f"{spec.trial}: pass --trial {len(rows)} --trial-faces {tried}, or more --trial-faces and another --out"
            )
        copy_rows(Table.open(spec.url("trial", "latents")), rows[: spec.trial], spec.url(f"trial-without-{primal}"))
    sizes = {}
    for primal, condition in pairs:
        url = spec.url(f"trial-{primal}-{condition}")
        search = edit_spec(
            "interfacegan", latents=(spec.url(f"trial-without-{primal}"),), directions=(directions,),
            attribute=(primal,), preserve=(condition,), until=0.0, target="1", bound=BOUND, tolerance=TOLERANCE,
            classifiers=spec.judge, out=url, **spec.scoring,
        )  # fmt: skip
        step(search, "--trial or --step-size, which needs no trial,")
        sizes[primal, condition] = of_trial(url, spec.trial, steps)
        say(f"      {primal}|{condition}: {sizes[primal, condition]}")
    facts = {":".join(pair): asdict(size) for pair, size in sizes.items()}
    store.write_atomic(spec.url("step-sizes.json"), (json.dumps(facts, indent=1) + "\n").encode())
    return sizes


def of_trial(url: str, rows: int, steps: int, instead: str = "pass --step-size") -> StepSize:
    """From edits with --until 0 of `rows` faces to the other side of the boundary: `SHARE` of them in so many steps.

    A face that is not transformed within `BOUND` counts as one that would need more than any other. instead: what to do
    where it cannot be chosen.

    Raises:
        SpecError: faces were rejected, or nine of ten need no step at all.
        StoreError: the edits are not there, or not complete.
    """
    frame = Table.open(store.join(url, "edits")).read(columns=["index", "step", "strength", "stop"]).to_pandas()
    last = frame.sort_values(["index", "step"]).groupby("index").last()
    beyond = last["stop"] == not_reached(f"{BOUND:g}")
    if len(last) < rows:
        raise SpecError(f"{url}: of {rows} faces to choose a step size on {rows - len(last)} were rejected: {instead}")
    reach = step_size.reach(last["strength"].abs().where(~beyond, math.inf), BOUND)
    if reach <= 0:
        raise SpecError(f"{url}: {SHARE:.0%} of the faces are transformed to begin with: {instead}")
    return StepSize(step_size.length(reach, steps), steps, reach, rows, int(beyond.sum()))
