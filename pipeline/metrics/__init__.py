"""Metrics: mergeable numbers of edits. Arrays in, numbers out; no table, no job."""

from pipeline.metrics.effects import EffectBatch, Effects
from pipeline.metrics.groups import measure_groups, merge_groups
from pipeline.metrics.identity import Identity, IdentityBatch, similarity
from pipeline.metrics.metric import Metric, Numbers

__all__ = [
    "EffectBatch",
    "Effects",
    "Identity",
    "IdentityBatch",
    "Metric",
    "Numbers",
    "measure_groups",
    "merge_groups",
    "similarity",
]
