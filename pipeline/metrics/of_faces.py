"""The metrics that compare an edited face with its source. A further one is a file of its own and a line here."""

from pipeline.metrics.effects import Effects
from pipeline.metrics.face_metric import FaceMetric
from pipeline.metrics.identity import Identity
from pipeline.metrics.identity_dlib import IdentityDlib
from pipeline.metrics.number import Number
from pipeline.metrics.perceptual import Perceptual
from pipeline.metrics.pictures import Pictures

METRICS: tuple[FaceMetric, ...] = (Effects(), Identity(), Pictures(), Perceptual(), IdentityDlib())
BY_NAME = {metric.name: metric for metric in METRICS}
NUMBERS: dict[str, Number] = {
    measured or metric.name: number for metric in METRICS for measured, number in metric.measures.items()
}
"""All that they measure, by the column `measured` of the tables, or by the metric where that is empty."""
