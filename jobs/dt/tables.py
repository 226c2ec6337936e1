"""From the scores of every step to rows of the small tables beside them: metrics, dt_curves, dt_auc."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import schemas
from jobs.dt.spec import AGREED, LEVEL, Cell, Pair
from pipeline.metrics import DT, CellArea, Outcomes, PairOutcomes, auc_as_released, cell_areas, pair_outcomes
from pipeline.stages.dt import DtStage
from pipeline.tables import Layout, Table
from schemas.dt_steps import SCORES

NUMBERS = DT().numbers
Pairs = Mapping[Pair, PairOutcomes[Cell]]
"""What became of the rows of each pair."""


def read_pairs(table: Table, stage: DtStage, cells: tuple[Cell, ...]) -> dict[Pair, PairOutcomes[Cell]]:
    """Every pair of a sealed table of steps."""
    rows, points = len(stage.rows[0]), stage.settings.steps + 1
    scores = np.full((len(stage.requests) * rows, points, len(SCORES)), np.nan, dtype=np.float32)
    for record in table.records():
        part = table.read(["index", "step", *SCORES], [record.shard])
        index, step = part["index"].to_numpy(), part["step"].to_numpy()
        for place, name in enumerate(SCORES):
            scores[index, step, place] = part[name].to_numpy()
    by_pair = scores.reshape(-1, len(cells), rows, points, len(SCORES))
    judge, own = stage.judge.family.name, stage.classifiers.family.name
    return {
        (asked.attribute, asked.preserve[0]): pair_outcomes(scores_CRP4, cells, judge, own, int(asked.target))
        for asked, scores_CRP4 in zip(stage.requests[:: len(cells)], by_pair, strict=True)
    }


def partials(pairs: Pairs, stage: DtStage, layout: Layout) -> pd.DataFrame:
    """Rows of a table of metrics: DT counts of each part of the steps, by request, family and step."""
    rows = len(stage.rows[0])
    found: list[dict[str, Any]] = []
    for shard in range(layout.shards):
        items, group = layout.indices(shard), 0
        for request in range(items.start // rows, (items.stop - 1) // rows + 1):
            asked = stage.requests[request]
            items_R = np.arange(request * rows, (request + 1) * rows)
            for key in _counts(pairs, stage, request, (items_R >= items.start) & (items_R < items.stop)):
                more = {
                    "metric": DT.name,
                    "edits": "dt_steps",
                    "side": -1 if asked.target == "0" else 1,
                    "attribute": asked.attribute,
                    "conditions": list(asked.preserve),
                    "strength": asked.strengths[key["step"] - 1],
                }
                found.append({"index": shard, "group": group, **more, **key})
                group += 1
    return pd.DataFrame(found, columns=schemas.metrics(NUMBERS).arrow.names)


def _counts(pairs: Pairs, stage: DtStage, request: int, inside_R: NDArray[np.bool_]) -> list[dict[str, Any]]:
    """By family and step, of those rows of one request."""
    asked = stage.requests[request]
    found = []
    for family, seen in pairs[asked.attribute, asked.preserve[0]].families.items():
        outcomes, rows = seen.by_cell[asked.options["lambda1"], asked.options["lambda2"]], inside_R[seen.rows]
        if rows.any():
            for step in range(1, stage.settings.steps + 1):
                at = outcomes.step(step)
                counts = DT().measure(Outcomes(at.transformed[rows], at.kept[rows]))
                found.append({"request": request, "step": step, "measured": family, **counts})
    return found


def curves(pairs: Pairs, stage: DtStage) -> pd.DataFrame:
    """Rows of `dt_curves`, the judge's first."""
    rows = [
        {**_key(pair, cell, family), "step": step, "step_size": stage.settings.step_size,
         **DT().finish(DT().measure(outcomes.step(step)))}
        for family, pair, cells in _measured(pairs, stage)
        for cell, outcomes in cells.items()
        for step in range(1, stage.settings.steps + 1)
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=schemas.dt_curves().arrow.names[1:]).astype({"count": np.int64})


def areas(pairs: Pairs, stage: DtStage) -> pd.DataFrame:
    """Rows of `dt_auc`, the judge's first; numbers that there are none of are NaN.

    Cells are compared over the range of p that all cells of the pair reach, as the same family sees them.
    """
    kappas = dict(zip(pairs, stage.kappas or (None,) * len(pairs), strict=True))
    rows = []
    for family, pair, cells in _measured(pairs, stage):
        kappa = kappas[pair]
        for cell, area in cell_areas(cells, LEVEL).items():
            rows.append(
                {
                    **_key(pair, cell, family),
                    "step_size": stage.settings.step_size,
                    "steps": stage.settings.steps,
                    **_area(area),
                    "kappa": math.nan if kappa is None else kappa,
                    "kappa_edited": pairs[pair].kappa,
                    "ranked": kappa is not None and kappa >= AGREED and area.common > 0,
                }
            )
    return pd.DataFrame(rows, columns=schemas.dt_auc().arrow.names[1:])


def _measured(pairs: Pairs, stage: DtStage) -> list[tuple[str, Pair, Mapping[Cell, Outcomes]]]:
    """What each family saw of each pair of which it saw any row."""
    families = (stage.judge.family.name, stage.classifiers.family.name)
    seen = ((family, pair, found.families[family]) for family in families for pair, found in pairs.items())
    return [(family, pair, one.by_cell) for family, pair, one in seen if one.rows.any()]


def _key(pair: Pair, cell: Cell, family: str) -> dict[str, Any]:
    return {"primal": pair[0], "condition": pair[1], "lambda1": cell[0], "lambda2": cell[1], "family": family}


def _area(area: CellArea) -> dict[str, Any]:
    names = ("rows", "p_max", "auc_to_p_max", "auc_normalised", "common", "auc_common")
    more = area.difference
    return {name: getattr(area, name) for name in names} | {
        "difference": more.observed if more else math.nan,
        "difference_low": more.low if more else math.nan,
        "difference_high": more.high if more else math.nan,
        "verdict": more.verdict if more else "",
    }


# -- of the finished tables -------------------------------------------------------------------------------------------


def as_released(points: pd.DataFrame, pair: Pair, family: str) -> dict[Cell, float]:
    """The public code's score of each cell of a pair, largest first, by the family that edits; of `dt_curves`."""
    mine = points[(points["primal"] == pair[0]) & (points["condition"] == pair[1]) & (points["family"] == family)]
    found = {
        (of_cell["lambda1"].iloc[0], of_cell["lambda2"].iloc[0]): auc_as_released(of_cell["p"], of_cell["q"])
        for _, of_cell in mine.sort_values("step").groupby(["lambda1", "lambda2"], sort=False)
    }
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))


def said_as_released(points: pd.DataFrame, pair: Pair, family: str, most: int | None = None) -> str:
    """A sentence of the first `most` of them, or of all."""
    cells = list(as_released(points, pair, family).items())[:most]
    told = ", ".join(f"({first:g}, {second:g}) {area:.4f}" for (first, second), area in cells)
    return f"{' | '.join(pair)} as released, by {family}, which edits: {told or 'no row starts in the source class'}."


def means(found: pd.DataFrame, family: str) -> dict[Cell, float]:
    """Mean over the ranked pairs of the area over the pair's common range, by cell (Eq. 7); empty where none is."""
    ranked = found[found["ranked"] & (found["family"] == family)]
    mean = ranked.groupby(["lambda1", "lambda2"])["auc_common"].mean().reset_index()
    return {(row["lambda1"], row["lambda2"]): row["auc_common"] for row in mean.to_dict("records")}


def best(found: pd.DataFrame, family: str) -> dict[Pair, Cell]:
    """The cell of the largest area over the common range, of each pair that is ranked."""
    its = found[found["ranked"] & (found["family"] == family)]
    places = its.groupby(["primal", "condition"], sort=False)["auc_common"].idxmax()
    return {
        (row["primal"], row["condition"]): (row["lambda1"], row["lambda2"])
        for row in its.loc[places].to_dict("records")
    }
