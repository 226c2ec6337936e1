"""One `stylemill dt` of one pair within a study: what it is asked, its tables, and what became of each row."""

import math
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from jobs.dt.plan import passes, plan_dt
from jobs.dt.spec import Cell, DtSpec, Pair, gradients
from jobs.dt.summary import read_frame
from jobs.dt.tables import read_pairs
from jobs.flags import parse
from jobs.reproduce import step
from pipeline.engine.books import Books
from pipeline.metrics import FamilyOutcomes, Outcomes, PairOutcomes
from pipeline.stages.dt import DtStage
from pipeline.tables import Table, store


@dataclass(frozen=True)
class DtRun:
    """The words of a `stylemill dt` of one pair, with its --out."""

    words: tuple[str, ...]

    @cached_property
    def asked(self) -> DtSpec:
        """Raises SpecError where the words do not go together."""
        return parse(DtSpec, self.words)

    def run(self) -> "DtRun":
        """Run it, or go on with it. Raises SpecError where it does not end well."""
        step("dt", *self.words, change="--rows, --others, --lambdas, --steps or --flags")
        return self

    @property
    def pair(self) -> Pair:
        (pair,) = self.asked.ordered
        return pair

    @property
    def name(self) -> str:
        """What is edited, and what is to stay."""
        return "|".join(self.pair)

    @cached_property
    def curves(self) -> pd.DataFrame:
        """`dt_curves`."""
        return Table.open(store.join(self.asked.out, "dt_curves")).read().to_pandas()

    @cached_property
    def areas(self) -> pd.DataFrame:
        """`dt_auc`, NaN where a number is not defined."""
        return read_frame(store.join(self.asked.out, "dt_auc"))

    @property
    def seconds(self) -> float:
        """Of computing, over all of its shards."""
        done = Books(self.asked.out, "dt").outcomes().values()
        return math.fsum(outcome.counters.get("seconds", 0.0) for outcome in done)

    @property
    def passes(self) -> str:
        """Of the generator."""
        return passes(self.asked)

    @property
    def forward(self) -> int:
        """Passes through the generator, of one face each."""
        return len(self.asked.cells) * self.asked.rows * (self.asked.steps + 1)

    @property
    def backward(self) -> int:
        """The same of gradients."""
        searched = 1 if self.asked.no_incremental else self.asked.steps
        return self.asked.rows * searched * sum(map(gradients, self.asked.cells))

    @cached_property
    def seen(self) -> PairOutcomes[Cell]:
        """What both families saw."""
        steps = Table.open(store.join(self.asked.out, "dt_steps"))
        return read_pairs(steps, self.stage, self.asked.cells)[self.pair]

    @property
    def judged(self) -> FamilyOutcomes[Cell]:
        """What the judge saw."""
        return self.seen.families[self.asked.judge]

    @property
    def measured(self) -> list[int]:
        """Indices of the latents from which the judge's curves are counted."""
        return [row for row, is_measured in zip(self.stage.rows[0], self.judged.rows, strict=True) if is_measured]

    @cached_property
    def scores(self) -> pd.DataFrame:
        """What the judge saw of every step, judge_primal and judge_condition, by lambda1, lambda2, row and step."""
        names = ["request", "row", "step", "judge_primal", "judge_condition"]
        steps = Table.open(store.join(self.asked.out, "dt_steps")).read(columns=names).to_pandas()
        for place, name in enumerate(("lambda1", "lambda2")):
            steps[name] = [self.asked.cells[request][place] for request in steps["request"]]
        return steps.set_index(["lambda1", "lambda2", "row", "step"]).drop(columns="request").sort_index()

    @cached_property
    def stage(self) -> DtStage:
        """As the job had it. Raises SpecError and StoreError as `plan_dt`."""
        stage = plan_dt(self.asked)[0].stage
        assert isinstance(stage, DtStage)
        return stage


def both(first: tuple[DtRun, Cell], second: tuple[DtRun, Cell]) -> tuple[Outcomes, Outcomes]:
    """What became of the rows that both of two runs have, in a cell of each, by the judge; there may be none."""
    rows = {run: set(run.measured) for run, _ in (first, second)}
    shared = set.intersection(*rows.values())
    found = []
    for run, cell in (first, second):
        places = [place for place, row in enumerate(run.measured) if row in shared]
        outcomes = run.judged.by_cell[cell]
        found.append(Outcomes(outcomes.transformed[places], outcomes.kept[places]))
    return found[0], found[1]
