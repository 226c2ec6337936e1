"""The small tables beside the steps, once these are complete: metrics, requests, dt_curves, dt_auc; and the page."""

import math
from collections.abc import Mapping, Sequence
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
from jobs.small import write_small
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


def summarise(job: Job) -> None:
    """From the sealed scores of all steps to curves, areas, the screen and the page; not before they are sealed.

    Partial counts go into `metrics`, a group for each part, request, family and step; the other tables are made of
    those. A row that is set aside in one cell is left out of all cells of its pair, since cells are compared in pairs.
    """
    assert isinstance(job.stage, DtStage)
    steps = Table(store.join(job.out, "dt_steps"))
    manifest = steps.manifest()
    if manifest is None or manifest["fingerprint"] != job.fingerprint:
        return
    seen = read_seen(steps, job.stage, tuple((first, second) for first, second in job.spec["lambdas"]))
    for one in seen:
        name = " | ".join(one.pair)
        if one.aside:
            say(f"Note  {name}: {one.aside:,} rows were set aside in a cell, and are left out of all cells")
        for family, sides in one.sides.items():
            if not sides.rows.any():
                say(f"Note  {name}: no row is left that starts in the source class as {family} sees it")
            elif sides.away and family == job.stage.judge.family.name:
                say(f"Note  {name}: {sides.away:,} rows start on the target's side when seen anew, and are left out")
    counted = partials(seen, job.stage, job.layout)
    points = curves(counted, job.stage)
    found = areas(points, seen, agreed(seen, job.stage))
    _write(job, steps, schemas.metrics(NUMBERS), counted)
    _write(job, steps, schemas.requests(), to_rows(job.stage.requests))
    _write(job, steps, schemas.dt_curves(), points)
    _write(job, steps, schemas.dt_auc(), found)
    show(points, found, job.stage)
    say(f"Page  {write_page(job, seen, points, found)}")


def agreed(seen: Sequence[Seen], stage: DtStage) -> dict[Pair, float]:
    """Kappa of the two families on unedited faces, by pair; NaN where it is not defined, or not known."""
    found = stage.kappas or (None,) * len(seen)
    return {one.pair: math.nan if kappa is None else kappa for one, kappa in zip(seen, found, strict=True)}


def _write(job: Job, steps: Table, schema: TableSchema, found: pd.DataFrame | pa.Table) -> None:
    """The table named as its schema, where it is not there already, made from these very steps."""
    assert isinstance(job.stage, DtStage)
    facts: Mapping[str, Any] = {
        "verb": "dt",
        "spec": {"dt": job.fingerprint, "counting": COUNTING, "kappa": list(job.stage.kappas or ())},
        "resolved": {"dt_steps": steps.digest},
    }
    table = Table(store.join(job.out, schema.name))
    if (there := table.manifest()) is not None and there["facts"] == facts:
        return
    rows = found if isinstance(found, pa.Table) else schema.rows(_columns(schema, found))
    write_small(table.url, schema, rows, facts)


def _columns(schema: TableSchema, found: pd.DataFrame) -> dict[str, Any]:
    columns: dict[str, Any] = {name: found[name].tolist() for name in schema.arrow.names if name in found}
    for name in PERHAPS:
        if name in columns:
            columns[name] = [[value] if np.isfinite(value) else [] for value in columns[name]]
    return columns if "index" in columns else {"index": range(len(found)), **columns}
