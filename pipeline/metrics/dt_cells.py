"""One pair of attributes, edited in several ways (cells) and seen by two families: which rows count, and the areas.

Shapes: C cells, R rows of a pair, P = K + 1 points of an edit, with the source.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.errors import SpecError
from pipeline.metrics.agreement import kappa
from pipeline.metrics.bootstrap import Difference, paired_differences
from pipeline.metrics.dt import Curve, Outcomes, auc, common_range, in_source_class, normalised_auc

Pair = tuple[str, str]
"""What is edited, and what is to stay."""
Cell = tuple[float, float]
"""lambda1 and lambda2: shares of attribute-level directions in that of the primal, and in that of the condition."""
LEVEL: Cell = (1.0, 1.0)
"""Attribute-level directions alone: what the other cells are compared with."""
AGREED = 0.6
"""Kappa, on unedited faces, below which a pair is shown and not ranked: the judge measures something else then."""

Name = TypeVar("Name", bound=Hashable)
COLUMNS = 4


@dataclass(frozen=True, eq=False)
class FamilyOutcomes:
    """What one family saw of one pair.

    rows: (R,) which are measured: no score of theirs is missing, and in no cell do they start on the target's side as
        this family sees them. by_cell: outcomes of those rows. started_there: how many were left out for their start.
    """

    rows: NDArray[np.bool_]
    by_cell: Mapping[Cell, Outcomes]
    started_there: int


@dataclass(frozen=True, eq=False)
class PairOutcomes:
    """A pair as both families saw it.

    families: by name, the judge first. rejected: rows without all scores in some cell; they are left out of all cells.
    kappa: Cohen's, of the two families, on the primal or the condition, whichever is less, over all faces that were
        scored, sources and steps of all cells alike; NaN where either is not defined, since both families put all these
        faces into one class. It says how far edits misled a family, not how well the two agree: the shorter the edits,
        the fewer faces reach the target's side.
    """

    families: Mapping[str, FamilyOutcomes]
    rejected: int
    kappa: float


def pair_outcomes(
    scores_CRP4: NDArray[np.floating], cells: Sequence[Cell], judge: str, own: str, target: int
) -> PairOutcomes:
    """From the scores of every step: by `own`, which edits, of the primal and the condition, then the same by `judge`.

    target: 1 or 0, the primal's. A score that is missing is NaN.
    """
    there_R: NDArray[np.bool_] = np.asarray(np.isfinite(scores_CRP4).all(axis=(0, 2, 3)))
    families = {}
    for family, first in ((judge, 2), (own, 0)):
        primal_CRP, condition_CRP = scores_CRP4[..., first], scores_CRP4[..., first + 1]
        starts_R = there_R.copy()
        starts_R[there_R] = np.all([in_source_class(one[there_R, 0], target) for one in primal_CRP], axis=0)
        by_cell = {
            cell: Outcomes.of_scores(primal_CRP[place, starts_R], condition_CRP[place, starts_R], target)
            for place, cell in enumerate(cells)
        }
        families[family] = FamilyOutcomes(starts_R, by_cell, int(there_R.sum() - starts_R.sum()))
    classes = scores_CRP4[:, there_R].reshape(-1, COLUMNS) > 0
    agreements = [kappa(classes[:, place], classes[:, place + 2]) for place in (0, 1)]
    return PairOutcomes(families, int((~there_R).sum()), float(np.min(agreements)))  # NaN where one of them is


@dataclass(frozen=True)
class CellArea:
    """The areas under the curve of one cell (`metrics.dt`), and what it has more than the cell it is compared with.

    common: the p that all cells reach; auc_common: the mean of q up to there. difference: over the range that both
    cells reach; None of the cell that the others are compared with, and where there is none such.
    """

    rows: int
    p_max: float
    auc_to_p_max: float
    auc_normalised: float
    common: float
    auc_common: float
    difference: Difference | None


def cell_areas(by_cell: Mapping[Name, Outcomes], against: Name) -> dict[Name, CellArea]:
    """Of each cell, over the same rows; `against`: the cell that the others are compared with, by a paired bootstrap.

    Raises:
        SpecError: there is no row.
    """
    if not all(len(outcomes.kept) for outcomes in by_cell.values()):
        raise SpecError("there are no rows, so there is no curve")
    curves = {
        cell: Curve.of(found.transformed.mean(axis=0), found.kept.mean(axis=0)) for cell, found in by_cell.items()
    }
    common = common_range(curves.values())
    differences = paired_differences(by_cell, against) if against in by_cell else {}
    return {
        cell: CellArea(
            rows=len(by_cell[cell].kept),
            p_max=curve.p_max,
            auc_to_p_max=auc(curve),
            auc_normalised=normalised_auc(curve),
            common=common,
            auc_common=normalised_auc(curve, common),
            difference=differences.get(cell),
        )
        for cell, curve in curves.items()
    }


def auc_as_released(p_K: ArrayLike, q_K: ArrayLike) -> float:
    """The public code's score: the steps as they come, where a p that falls takes its area off."""
    return float(np.trapezoid([1.0, *np.asarray(q_K)], [0.0, *np.asarray(p_K)]))
