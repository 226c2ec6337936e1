"""The small tables beside DIR/dt_steps, counted from its scores: metrics, requests, dt_curves and dt_auc."""

import math
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from typing import Any

import numpy as np
import pandas as pd

import schemas
from pipeline.editors import EditRequest
from pipeline.engine.derived import Derived, DerivedTable
from pipeline.metrics import AGREED, DT, LEVEL, Cell, Outcomes, Pair, PairOutcomes, cell_areas, pair_outcomes
from pipeline.stages.dt import DtStage
from pipeline.stages.request_rows import LAMBDAS
from pipeline.stages.request_rows import to_rows as request_rows
from pipeline.tables import Layout
from pipeline.tables.dt_scores import read_dt_scores
from pipeline.tables.frames import to_rows
from schemas import TableSchema

COUNTING = 3
"""Version of how curves and areas are counted: tables of another are made anew."""
Pairs = Mapping[Pair, PairOutcomes]


def derived(out: str, stage: DtStage, layout: Layout) -> list[Derived]:
    """DIR/metrics, DIR/requests, DIR/dt_curves and DIR/dt_auc, from the sealed scores of all steps.

    A row that was rejected in one cell is left out of all cells of its pair, since cells are compared in pairs.
    """
    pairs = cache(partial(read_pairs, out, stage))
    facts = {"counting": COUNTING, "kappa": list(stage.kappas or ())}

    def table(schema: TableSchema, rows: Callable[[], pd.DataFrame]) -> DerivedTable:
        return DerivedTable(schema.name, schema, lambda: to_rows(schema, rows()), ("dt_steps",), facts)

    return [
        table(schemas.metrics(DT.numbers), lambda: partials(pairs(), stage, layout)),
        DerivedTable("requests", schemas.requests(), partial(request_rows, stage.requests)),
        table(schemas.dt_curves(), lambda: curves(pairs(), stage)),
        table(schemas.dt_auc(), lambda: areas(pairs(), stage)),
    ]


def read_pairs(out: str, stage: DtStage) -> dict[Pair, PairOutcomes]:
    """What both families saw of every pair, from the sealed DIR/dt_steps. Raises StoreError."""
    pairs = list(dict.fromkeys(map(_pair, stage.requests)))
    cells = [_cell(asked) for asked in stage.requests if _pair(asked) == pairs[0]]
    _, scores_IP4 = read_dt_scores(out, stage.items, stage.settings.steps + 1)
    by_pair = scores_IP4.reshape(len(pairs), len(cells), -1, *scores_IP4.shape[1:])
    judge, own, target = stage.judge.family.name, stage.classifiers.family.name, int(stage.requests[0].target)
    return {
        pair: pair_outcomes(scores_CRP4, cells, judge, own, target)
        for pair, scores_CRP4 in zip(pairs, by_pair, strict=True)
    }


def partials(pairs: Pairs, stage: DtStage, layout: Layout) -> pd.DataFrame:
    """Rows of `metrics`: DT counts of each part of the steps, by request, family and step."""
    found: list[dict[str, Any]] = []
    for request, asked in enumerate(stage.requests):
        for family, seen in pairs[_pair(asked)].families.items():
            shard_N = (request * len(seen.rows) + np.flatnonzero(seen.rows)) // layout.rows_per_shard
            for shard in np.unique(shard_N):
                its = Outcomes(*(found_NK[shard_N == shard] for found_NK in seen.by_cell[_cell(asked)]))
                found += [
                    {"index": shard, "metric": DT.name, "edits": "dt_steps", "request": request, "step": step,
                     "attribute": asked.attribute, "conditions": list(asked.preserve), "strength": strength,
                     "side": -1 if asked.target == "0" else 1, "measured": family, **DT().measure(its.step(step))}
                    for step, strength in enumerate(asked.strengths, 1)
                ]  # fmt: skip
    frame = pd.DataFrame(found, columns=schemas.metrics(DT.numbers).arrow.names)
    frame = frame.sort_values("index", kind="stable", ignore_index=True)
    return frame.assign(group=frame.groupby("index").cumcount())


def curves(pairs: Pairs, stage: DtStage) -> pd.DataFrame:
    """Rows of `dt_curves`, the judge's first."""
    rows = [
        {**_key(pair, cell, family), "step": step, "step_size": stage.settings.step_size,
         **DT().finish(DT().measure(outcomes.step(step)))}
        for family, pair, by_cell in _measured(pairs, stage)
        for cell, outcomes in by_cell.items()
        for step in range(1, stage.settings.steps + 1)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=schemas.dt_curves().arrow.names[1:]).astype({"count": np.int64})


def areas(pairs: Pairs, stage: DtStage) -> pd.DataFrame:
    """Rows of `dt_auc`, the judge's first; numbers that there are none of are NaN.

    Cells are compared over the range of p that all cells of the pair reach, as the same family sees them.
    """
    kappas = dict(zip(pairs, stage.kappas or (None,) * len(pairs), strict=True))
    rows = []
    for family, pair, by_cell in _measured(pairs, stage):
        kappa = math.nan if (known := kappas[pair]) is None else known
        for cell, area in cell_areas(by_cell, LEVEL).items():
            more = area.difference
            row = {
                **vars(area),
                **_key(pair, cell, family),
                "step_size": stage.settings.step_size,
                "steps": stage.settings.steps,
                "difference": more.observed if more else math.nan,
                "difference_low": more.low if more else math.nan,
                "difference_high": more.high if more else math.nan,
                "verdict": more.verdict if more else "",
                "kappa": kappa,
                "kappa_edited": pairs[pair].kappa,
                "ranked": kappa >= AGREED and area.common > 0,
            }
            rows.append(row)
    return pd.DataFrame(rows, columns=schemas.dt_auc().arrow.names[1:])


def _measured(pairs: Pairs, stage: DtStage) -> Iterator[tuple[str, Pair, Mapping[Cell, Outcomes]]]:
    """What each family saw of each pair of which it saw any row."""
    for family in (stage.judge.family.name, stage.classifiers.family.name):
        for pair, found in pairs.items():
            if found.families[family].rows.any():
                yield family, pair, found.families[family].by_cell


def _key(pair: Pair, cell: Cell, family: str) -> dict[str, Any]:
    return {"primal": pair[0], "condition": pair[1], "lambda1": cell[0], "lambda2": cell[1], "family": family}


def _pair(asked: EditRequest) -> Pair:
    return asked.attribute, asked.preserve[0]


def _cell(asked: EditRequest) -> Cell:
    first, second = (asked.options[name] for name in LAMBDAS)
    return first, second
