"""The areas on the screen."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd
from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table as Grid

from jobs.dt.spec import AGREED, LEVEL
from jobs.dt.tables import best, means, said_as_released
from pipeline.stages.dt import DtStage

ALL_SHOWN = 6
"""Of more cells than this, (1, 1) and the best of each ranked pair are printed; the tables and the page have all."""
MEANS_SHOWN = 5


def show(points: pd.DataFrame, found: pd.DataFrame, stage: DtStage) -> None:
    """What the judge sees: each pair's cells, which is best, and the means over the pairs that count.

    Of a stage `as_released` besides what the public code would tell.
    """
    judge = stage.judge.family.name
    if not len(found):
        return
    console, winners = Console(), best(found, judge)
    for _, of_pair in found[found["family"] == judge].groupby(["primal", "condition"], sort=False):
        rows = of_pair.to_dict("records")
        pair = (rows[0]["primal"], rows[0]["condition"])
        grid = Grid(title=_title(rows[0], judge), title_justify="left", box=SIMPLE, pad_edge=False)
        for name in ("lambdas", "p max", "AUC in common", "more than (1, 1)", ""):
            grid.add_column(name, justify="left" if name in ("lambdas", "") else "right", no_wrap=True)
        for row in rows:
            cell = (row["lambda1"], row["lambda2"])
            if len(rows) <= ALL_SHOWN or cell in (LEVEL, winners.get(pair)):
                grid.add_row(*_cells(row, cell == winners.get(pair)))
        console.print(grid, highlight=False)
        if stage.settings.as_released:
            line = said_as_released(points, pair, stage.classifiers.family.name, MEANS_SHOWN)
            console.print(line, highlight=False, soft_wrap=True)
    for line in _lines(found, judge):
        console.print(line, highlight=False, soft_wrap=True)


def _title(row: Mapping[Any, Any], judge: str) -> str:
    ranked = "ranked" if row["ranked"] else "not ranked"
    return (
        f"{row['primal']} | {row['condition']} by {judge}: {row['rows']:,} rows, kappa {_number(row['kappa'], 2)}, "
        f"{ranked}"
    )


def _cells(row: Mapping[Any, Any], is_best: bool) -> list[str]:
    against = f"{row['difference']:+.3f} ({row['difference_low']:+.3f} to {row['difference_high']:+.3f})"
    return [
        f"{row['lambda1']:g}, {row['lambda2']:g}" + (" best" if is_best else ""),
        f"{row['p_max']:.2f}",
        _number(row["auc_common"]),
        against if math.isfinite(row["difference"]) else "",
        row["verdict"],
    ]


def _lines(found: pd.DataFrame, judge: str) -> Iterator[str]:
    mean = sorted(means(found, judge).items(), key=lambda item: -item[1])
    pairs = len(found[found["ranked"] & (found["family"] == judge)].groupby(["primal", "condition"]))
    if not pairs:
        yield (
            f"No pair is ranked: that takes a kappa of {AGREED} or more on unedited faces (--labels of both families), "
            "and a p above 0 that all cells reach."
        )
        return
    first = ", ".join(f"({l1:g}, {l2:g}) {value:.4f}" for (l1, l2), value in mean[:MEANS_SHOWN])
    yield f"Mean over {pairs} ranked pair{'' if pairs == 1 else 's'} of the AUC in common (Eq. 7): {first}"


def _number(value: float, digits: int = 3) -> str:
    return f"{value:.{digits}f}" if math.isfinite(value) else "–"
