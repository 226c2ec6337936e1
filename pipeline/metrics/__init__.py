"""Metrics: mergeable numbers of edits. Arrays in, numbers out; no table, no job.

Those that compare an edited face with its source are listed in `of_faces.py`.
"""

from pipeline.metrics.agreement import kappa
from pipeline.metrics.bootstrap import Difference, mean_difference, paired_differences
from pipeline.metrics.dt import DT, Curve, Outcomes, auc, common_range, in_source_class, normalised_auc
from pipeline.metrics.dt_cells import (
    AGREED,
    LEVEL,
    Cell,
    CellArea,
    FamilyOutcomes,
    Pair,
    PairOutcomes,
    auc_as_released,
    cell_areas,
    pair_outcomes,
)
from pipeline.metrics.equal_success import strength_that_meets
from pipeline.metrics.groups import measure_groups, merge_groups
from pipeline.metrics.metric import Metric, Numbers
from pipeline.metrics.pairs import pairs

__all__ = [
    "AGREED",
    "DT",
    "LEVEL",
    "Cell",
    "CellArea",
    "Curve",
    "Difference",
    "FamilyOutcomes",
    "Metric",
    "Numbers",
    "Outcomes",
    "Pair",
    "PairOutcomes",
    "auc",
    "auc_as_released",
    "cell_areas",
    "common_range",
    "in_source_class",
    "kappa",
    "mean_difference",
    "measure_groups",
    "merge_groups",
    "normalised_auc",
    "pair_outcomes",
    "paired_differences",
    "pairs",
    "strength_that_meets",
]
