"""One `stylemill dt` of one pair within a study: what it is asked, its tables, and what became of each row."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from jobs.dt.plan import faces, passes, plan_dt
from jobs.dt.spec import Cell, DtSpec, Pair
from jobs.dt.summary import read_frame
from jobs.dt.tables import read_pairs
from jobs.reproduce.cost import Passes
from jobs.reproduce.study import step
from pipeline.engine.books import Books
from pipeline.metrics import FamilyOutcomes, PairOutcomes
from pipeline.stages.dt import DtStage
from pipeline.tables import Table, store

JUDGED = ("judge_primal", "judge_condition")


@dataclass(frozen=True)
class DtRun:
    """A `stylemill dt` of one pair."""

    asked: DtSpec

    def run(self) -> "DtRun":
        """Run it, or go on with it. Raises SpecError where it does not end well."""
        step(self.asked, "--rows, --others, --lambdas, --steps or the flags of the run")
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
    def is_measured(self) -> bool:
        """Whether the judge's curves are of any face."""
        return self.asked.judge in set(self.areas["family"])

    @property
    def work(self) -> str:
        """Passes through the generator, in words."""
        return passes(self.asked)

    @property
    def seconds(self) -> float:
        """Of computing, over all of its shards."""
        done = Books(self.asked.out, "dt").outcomes().values()
        return math.fsum(outcome.counters.get("seconds", 0.0) for outcome in done)

    @property
    def cost(self) -> Passes:
        return Passes(*faces(self.asked))

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
        """What the judge saw of every step, by lambda1, lambda2, row and step."""
        names = ["request", "row", "step", *JUDGED]
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

    def of(self, frame: pd.DataFrame, family: str, cell: Cell) -> "pd.Series[Any]":
        """The row of `areas`, or the last step of `curves`, of a family and a cell."""
        own = frame[(frame["family"] == family) & (frame["lambda1"] == cell[0]) & (frame["lambda2"] == cell[1])]
        return own.sort_values("step").iloc[-1] if "step" in own else own.iloc[0]

    def steps_of(self, cell: Cell) -> pd.DataFrame:
        """The curve of a cell by the judge, in order."""
        own = self.curves[(self.curves["lambda1"] == cell[0]) & (self.curves["lambda2"] == cell[1])]
        return own[own["family"] == self.asked.judge].sort_values("step")
