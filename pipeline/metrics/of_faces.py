"""The metrics that compare an edited face with its source. A further one is a file of its own and a line here."""

from pipeline.metrics.effects import Effects
from pipeline.metrics.face_metric import FaceMetric
from pipeline.metrics.identity import Identity
from pipeline.metrics.identity_dlib import IdentityDlib
from pipeline.metrics.perceptual import Perceptual
from pipeline.metrics.pictures import Pictures

METRICS: tuple[FaceMetric, ...] = (Effects(), Identity(), Pictures(), Perceptual(), IdentityDlib())
BY_NAME = {metric.name: metric for metric in METRICS}
