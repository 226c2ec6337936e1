"""From the scores of every step to counts: which rows are measured, and what became of them.

Shapes: R rows of a pair, C cells, K steps, P = K + 1 points with the source.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

import schemas
from jobs.dt.spec import Cell, Pair
from pipeline.metrics import DT, Outcomes, in_source_class, kappa
from pipeline.stages.dt import DtStage
from pipeline.tables import Layout, Table
from schemas.dt_steps import SCORES

NUMBERS = DT().numbers


@dataclass(frozen=True, eq=False)
class Sides:
    """What one family saw of one pair.

    rows: (R,) which are measured: none of their items was set aside, and in no cell do they start on the target's side
        as this family sees them. outcomes: of those, by cell. away: how many were left out for the side they start on.
    """

    rows: NDArray[np.bool_]
    outcomes: Mapping[Cell, Outcomes]
    away: int


@dataclass(frozen=True, eq=False)
class Seen:
    """A pair as both families saw it.

    sides: by family. aside: rows with an item that was set aside, in whichever cell; they are left out of all cells.
    agreement: Cohen's kappa of the two families, on the primal or the condition, whichever is less, over all faces of
        the pair that were made and measured, sources and steps of all cells alike; NaN where either is not defined,
        since both families put all these faces into one class. It says how far edits misled a family. It is no measure
        of how well the two agree: the shorter the edits, the fewer faces reach the target's side.
    """

    pair: Pair
    sides: Mapping[str, Sides]
    aside: int
    agreement: float


def read_seen(table: Table, stage: DtStage, cells: tuple[Cell, ...]) -> list[Seen]:
    """Every pair of a sealed table of steps."""
    rows, points = len(stage.rows[0]), stage.settings.steps + 1
    scores = np.full((len(stage.requests) * rows, points, len(SCORES)), np.nan, dtype=np.float32)
    for record in table.records():
        part = table.read(["index", "step", *SCORES], [record.shard])
        index, step = part["index"].to_numpy(), part["step"].to_numpy()
        for place, name in enumerate(SCORES):
            scores[index, step, place] = part[name].to_numpy()
    by_pair = scores.reshape(-1, len(cells), rows, points, len(SCORES))
    wishes = stage.requests[:: len(cells)]
    return [
        _seen((wish.attribute, wish.preserve[0]), int(wish.target), scores_CRP4, stage, cells)
        for wish, scores_CRP4 in zip(wishes, by_pair, strict=True)
    ]


def partials(seen: list[Seen], stage: DtStage, layout: Layout) -> pd.DataFrame:
    """Rows of a table of metrics: DT counts of each part of the steps, by request, family and step."""
    rows = len(stage.rows[0])
    found: list[dict[str, Any]] = []
    for shard in range(layout.shards):
        items, group = layout.indices(shard), 0
        for request in range(items.start // rows, (items.stop - 1) // rows + 1):
            inside = np.arange(request * rows, (request + 1) * rows)
            for family, step, counts in _counted(seen, stage, request, (inside >= items.start) & (inside < items.stop)):
                wish = stage.requests[request]
                found.append(
                    {
                        "index": shard,
                        "group": group,
                        "metric": DT.name,
                        "edits": "dt_steps",
                        "request": request,
                        "step": step,
                        "side": -1 if wish.target == "0" else 1,
                        "attribute": wish.attribute,
                        "conditions": list(wish.preserve),
                        "strength": wish.strengths[step - 1],
                        "measured": family,
                        **counts,
                    }
                )
                group += 1
    return pd.DataFrame(found, columns=schemas.metrics(NUMBERS).arrow.names)


def _seen(pair: Pair, target: int, scores_CRP4: NDArray[np.float32], stage: DtStage, cells: tuple[Cell, ...]) -> Seen:
    there_R: NDArray[np.bool_] = np.asarray(np.isfinite(scores_CRP4).all(axis=(0, 2, 3)))
    sides = {}
    for family, first in ((stage.judge.family.name, 2), (stage.classifiers.family.name, 0)):
        primal_CRP, condition_CRP = scores_CRP4[..., first], scores_CRP4[..., first + 1]
        starts_R = there_R.copy()
        starts_R[there_R] = np.all([in_source_class(one[there_R, 0], target) for one in primal_CRP], axis=0)
        outcomes = {
            cell: Outcomes.of_scores(primal_CRP[place, starts_R], condition_CRP[place, starts_R], target)
            for place, cell in enumerate(cells)
        }
        sides[family] = Sides(starts_R, outcomes, int(there_R.sum() - starts_R.sum()))
    classes = scores_CRP4[:, there_R].reshape(-1, len(SCORES)) > 0
    agreements = [kappa(classes[:, place], classes[:, place + 2]) for place in (0, 1)]
    return Seen(pair, sides, int((~there_R).sum()), float(np.min(agreements)))  # NaN where one of them is


def _counted(
    seen: list[Seen], stage: DtStage, request: int, inside_R: NDArray[np.bool_]
) -> Iterator[tuple[str, int, Mapping[str, float]]]:
    """Family, step and counts of the rows of one request that are in one part."""
    of_pair = seen[request * len(seen) // len(stage.requests)]
    wish = stage.requests[request]
    for family, sides in of_pair.sides.items():
        outcomes = sides.outcomes[wish.options["lambda1"], wish.options["lambda2"]]
        rows = inside_R[sides.rows]
        if not rows.any():
            continue
        for step in range(1, stage.settings.steps + 1):
            at = outcomes.step(step)
            yield family, step, DT().measure(Outcomes(at.transformed[rows], at.kept[rows]))
