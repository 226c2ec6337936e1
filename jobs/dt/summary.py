"""The small tables beside the steps: metrics, requests, dt_curves, dt_auc; and what is said of them, and the page."""

import math
from collections.abc import Callable, Sequence
from functools import cached_property, partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

import schemas
from jobs.dt.areas import areas, curves
from jobs.dt.counts import NUMBERS, Seen, partials, read_seen
from jobs.dt.page import write_page
from jobs.dt.show import show
from jobs.dt.spec import Pair
from jobs.flags import say
from pipeline.engine.derived import Derived, DerivedTable
from pipeline.engine.job import Job
from pipeline.stages.dt import DtStage
from pipeline.stages.request_rows import to_rows
from pipeline.tables import Table, store
from schemas import TableSchema

COUNTING = 2
"""Version of how curves and areas are counted: tables of another are made anew."""
PERHAPS = (
    "auc_normalised",
    "auc_common",
    "difference",
    "difference_low",
    "difference_high",
    "kappa",
    "kappa_edited",
)


class Counted:
    """What a job's sealed scores come to, each computed once.

    Partial counts are a group for each part, request, family and step. A row that is set aside in one cell is left out
    of all cells of its pair, since cells are compared in pairs.
    """

    def __init__(self, job: Job, stage: DtStage) -> None:
        self._job, self._stage = job, stage

    @cached_property
    def seen(self) -> list[Seen]:
        return _seen(self._job, self._stage)

    @cached_property
    def counts(self) -> pd.DataFrame:
        return partials(self.seen, self._stage, self._job.layout)

    @cached_property
    def curves(self) -> pd.DataFrame:
        return curves(self.counts, self._stage)

    @cached_property
    def areas(self) -> pd.DataFrame:
        return areas(self.curves, self.seen, agreed(self.seen, self._stage))


def derived_of(job: Job, stage: DtStage) -> list[Derived]:
    """DIR/metrics, DIR/requests, DIR/dt_curves and DIR/dt_auc."""
    counted = Counted(job, stage)
    facts = {"counting": COUNTING, "kappa": list(stage.kappas or ())}

    def table(schema: TableSchema, found: Callable[[], pd.DataFrame]) -> DerivedTable:
        return DerivedTable(schema.name, schema, lambda: _rows(schema, found()), ("dt_steps",), facts)

    return [
        table(schemas.metrics(NUMBERS), lambda: counted.counts),
        DerivedTable("requests", schemas.requests(), partial(to_rows, stage.requests)),
        table(schemas.dt_curves(), lambda: counted.curves),
        table(schemas.dt_auc(), lambda: counted.areas),
    ]


def summarise(job: Job) -> None:
    """The curves and areas of a job that is done on the screen, and the page."""
    assert isinstance(job.stage, DtStage)
    if not all(map(job.is_sealed, ("dt_steps", "dt_curves", "dt_auc"))):
        return
    seen = _seen(job, job.stage)
    for one in seen:
        name = " | ".join(one.pair)
        if one.aside:
            say(f"Note  {name}: {one.aside:,} rows were set aside in a cell, and are left out of all cells")
        for family, sides in one.sides.items():
            if not sides.rows.any():
                say(f"Note  {name}: no row is left that starts in the source class as {family} sees it")
            elif sides.away and family == job.stage.judge.family.name:
                say(f"Note  {name}: {sides.away:,} rows start on the target's side when seen anew, and are left out")
    points, found = (read_frame(store.join(job.out, name)) for name in ("dt_curves", "dt_auc"))
    show(points, found, job.stage)
    say(f"Page  {write_page(job, seen, points, found)}")


def read_frame(url: str) -> pd.DataFrame:
    """Rows of `dt_curves` or `dt_auc`, NaN where a number is not defined."""
    found = Table.open(url).read().to_pandas()
    return found.assign(**{name: found[name].map(_one) for name in PERHAPS if name in found})


def agreed(seen: Sequence[Seen], stage: DtStage) -> dict[Pair, float]:
    """Kappa of the two families on unedited faces, by pair; NaN where it is not defined, or not known."""
    found = stage.kappas or (None,) * len(seen)
    return {one.pair: math.nan if kappa is None else kappa for one, kappa in zip(seen, found, strict=True)}


def _seen(job: Job, stage: DtStage) -> list[Seen]:
    cells = tuple((first, second) for first, second in job.spec["lambdas"])
    return read_seen(Table(store.join(job.out, "dt_steps")), stage, cells)


def _one(value: Sequence[float]) -> float:
    return float(value[0]) if len(value) else math.nan


def _rows(schema: TableSchema, found: pd.DataFrame) -> pa.Table:
    columns: dict[str, Any] = {name: found[name].tolist() for name in schema.arrow.names if name in found}
    for name in PERHAPS:
        if name in columns:
            columns[name] = [[value] if np.isfinite(value) else [] for value in columns[name]]
    return schema.rows(columns if "index" in columns else {"index": range(len(found)), **columns})
