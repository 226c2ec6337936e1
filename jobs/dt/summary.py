"""The small tables beside the steps: metrics, requests, dt_curves, dt_auc; and what is said of them, and the page."""

import math
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

import schemas
from jobs.dt.page import write_page
from jobs.dt.show import show
from jobs.dt.tables import NUMBERS, Pairs, areas, curves, partials, read_pairs
from jobs.flags import say
from pipeline.engine.derived import Derived, DerivedTable
from pipeline.engine.job import Job
from pipeline.stages.dt import DtStage
from pipeline.stages.request_rows import to_rows
from pipeline.tables import Table, store
from schemas import TableSchema

COUNTING = 2
"""Version of how curves and areas are counted: tables of another are made anew."""
PERHAPS = ("auc_normalised", "auc_common", "difference", "difference_low", "difference_high", "kappa", "kappa_edited")
"""Numbers that are not always defined."""


def derived_of(job: Job, stage: DtStage) -> list[Derived]:
    """DIR/metrics, DIR/requests, DIR/dt_curves and DIR/dt_auc, from the sealed scores of all steps.

    Partial counts are a group for each part, request, family and step. A row that is set aside in one cell is left out
    of all cells of its pair, since cells are compared in pairs.
    """
    pairs = cache(partial(_pairs, job, stage))
    facts = {"counting": COUNTING, "kappa": list(stage.kappas or ())}

    def table(schema: TableSchema, found: Callable[[], pd.DataFrame]) -> DerivedTable:
        return DerivedTable(schema.name, schema, lambda: _rows(schema, found()), ("dt_steps",), facts)

    return [
        table(schemas.metrics(NUMBERS), lambda: partials(pairs(), stage, job.layout)),
        DerivedTable("requests", schemas.requests(), partial(to_rows, stage.requests)),
        table(schemas.dt_curves(), lambda: curves(pairs(), stage)),
        table(schemas.dt_auc(), lambda: areas(pairs(), stage)),
    ]


def summarise(job: Job) -> None:
    """The curves and areas of a job that is done on the screen, and the page."""
    assert isinstance(job.stage, DtStage)
    if not all(map(job.is_sealed, ("dt_steps", "dt_curves", "dt_auc"))):
        return
    pairs, judge = _pairs(job, job.stage), job.stage.judge.family.name
    for pair, seen in pairs.items():
        name = " | ".join(pair)
        if seen.rejected:
            say(f"Note  {name}: {seen.rejected:,} rows were set aside in a cell, and are left out of all cells")
        for family, its in seen.families.items():
            away = its.started_there
            if not its.rows.any():
                say(f"Note  {name}: no row is left that starts in the source class as {family} sees it")
            elif away and family == judge:
                say(f"Note  {name}: {away:,} rows start on the target's side when seen anew, and are left out")
    points, found = (read_frame(store.join(job.out, name)) for name in ("dt_curves", "dt_auc"))
    show(points, found, job.stage)
    say(f"Page  {write_page(job, pairs, points, found)}")


def read_frame(url: str) -> pd.DataFrame:
    """Rows of `dt_curves` or `dt_auc`, NaN where a number is not defined."""
    found = Table.open(url).read().to_pandas()
    return found.assign(**{name: found[name].map(_one) for name in PERHAPS if name in found})


def _pairs(job: Job, stage: DtStage) -> Pairs:
    cells = tuple((first, second) for first, second in job.spec["lambdas"])
    return read_pairs(Table(store.join(job.out, "dt_steps")), stage, cells)


def _one(value: Sequence[float]) -> float:
    return float(value[0]) if len(value) else math.nan


def _rows(schema: TableSchema, found: pd.DataFrame) -> pa.Table:
    columns: dict[str, Any] = {name: found[name].tolist() for name in schema.arrow.names if name in found}
    for name in PERHAPS:
        if name in columns:
            columns[name] = [[value] if np.isfinite(value) else [] for value in columns[name]]
    return schema.rows(columns if "index" in columns else {"index": range(len(found)), **columns})
