"""From counts to curves, and from curves to areas: with pandas, over all pairs, cells and families."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

import schemas
from jobs.dt.counts import NUMBERS, Seen
from jobs.dt.spec import LEVEL, Cell, Pair
from pipeline.metrics import DT, Curve, Difference, auc, common_range, normalised_auc, paired_differences
from pipeline.stages.dt import DtStage

KEY = ["primal", "condition", "lambda1", "lambda2", "family"]
AGREED = 0.6
"""Kappa, on unedited faces, below which a pair is shown and not ranked: the judge measures something else then."""


def curves(partials: pd.DataFrame, stage: DtStage) -> pd.DataFrame:
    """Rows of `dt_curves`: the partials of all parts put together. They are whole numbers: their sums are exact."""
    rows: list[dict[str, Any]] = []
    summed = partials.groupby(["request", "measured", "step"], sort=False, as_index=False)[list(NUMBERS)].sum()
    for counts in summed.to_dict("records"):
        wish = stage.requests[counts["request"]]
        rows.append(
            {
                "request": counts["request"],
                "primal": wish.attribute,
                "condition": wish.preserve[0],
                "lambda1": wish.options["lambda1"],
                "lambda2": wish.options["lambda2"],
                "family": counts["measured"],
                "step": counts["step"],
                "step_size": stage.settings.step_size,
                **DT().finish({name: counts[name] for name in NUMBERS}),
            }
        )
    names = ["request", *KEY, "step", "step_size", "count", "p", "p_low", "p_high", "q", "q_low", "q_high"]
    found = pd.DataFrame(rows, columns=names)
    order = [stage.judge.family.name, stage.classifiers.family.name]
    found["place"] = found["family"].map(order.index)
    found = found.sort_values(["place", "request", "step"], kind="stable", ignore_index=True)
    return found.drop(columns=["request", "place"]).astype({"count": np.int64})


def areas(found: pd.DataFrame, seen: list[Seen], agreed: Mapping[Pair, float]) -> pd.DataFrame:
    """Rows of `dt_auc`; numbers that there are none of are NaN. `agreed`: kappa on unedited faces, by pair.

    Cells are compared over the range of p that all cells of the pair reach, as the same family sees them.
    """
    by_pair = {one.pair: one for one in seen}
    rows: list[dict[str, Any]] = []
    for _, of_pair in found.groupby(["primal", "condition", "family"], sort=False):
        primal, condition, family = (of_pair[name].iloc[0] for name in ("primal", "condition", "family"))
        pair = by_pair[primal, condition]
        cells: dict[Cell, pd.DataFrame] = {
            (group["lambda1"].iloc[0], group["lambda2"].iloc[0]): group.sort_values("step")
            for _, group in of_pair.groupby(["lambda1", "lambda2"], sort=False)
        }
        lines = {cell: Curve.of(group["p"], group["q"]) for cell, group in cells.items()}
        common = common_range(lines.values())
        outcomes = pair.sides[family].outcomes
        differences = paired_differences(outcomes, LEVEL) if LEVEL in outcomes else {}
        for cell, line in lines.items():
            first = cells[cell].iloc[0]
            rows.append(
                {
                    **{name: first[name] for name in KEY},
                    "step_size": first["step_size"],
                    "steps": len(cells[cell]),
                    "rows": first["count"],
                    "p_max": line.p_max,
                    "auc_to_p_max": auc(line),
                    "auc_normalised": normalised_auc(line),
                    "common": common,
                    "auc_common": normalised_auc(line, common),
                    **_compared(differences.get(cell)),
                    "kappa": agreed[pair.pair],
                    "kappa_edited": pair.agreement,
                    "ranked": bool(agreed[pair.pair] >= AGREED and common > 0),
                }
            )
    return pd.DataFrame(rows, columns=schemas.dt_auc().arrow.names[1:])


def as_released(points: pd.DataFrame, pair: Pair, family: str) -> dict[Cell, float]:
    """The public code's score of each cell of a pair, largest first; of rows of `dt_curves`.

    It counts by the family that edits, takes the points as they come, and takes off the area of a p that falls.
    """
    mine = points[(points["primal"] == pair[0]) & (points["condition"] == pair[1]) & (points["family"] == family)]
    found = {
        (of_cell["lambda1"].iloc[0], of_cell["lambda2"].iloc[0]): float(
            np.trapezoid([1.0, *of_cell.sort_values("step")["q"]], [0.0, *of_cell.sort_values("step")["p"]])
        )
        for _, of_cell in mine.groupby(["lambda1", "lambda2"], sort=False)
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


def best(found: pd.DataFrame, family: str) -> dict[tuple[str, str], Cell]:
    """The cell of the largest area over the common range, of each pair that is ranked."""
    its = found[found["ranked"] & (found["family"] == family)]
    places = its.groupby(["primal", "condition"], sort=False)["auc_common"].idxmax()
    return {
        (row["primal"], row["condition"]): (row["lambda1"], row["lambda2"])
        for row in its.loc[places].to_dict("records")
    }


def _compared(difference: Difference | None) -> dict[str, Any]:
    if difference is None:
        return {"difference": math.nan, "difference_low": math.nan, "difference_high": math.nan, "verdict": ""}
    return {
        "difference": difference.observed,
        "difference_low": difference.low,
        "difference_high": difference.high,
        "verdict": difference.verdict,
    }
