"""ID-Style: sparse global directions with an intensity for each face, trained to keep the identity."""

from pipeline.editors.id_style.config import Config
from pipeline.editors.id_style.training import TrainConfig

__all__ = ["Config", "TrainConfig"]
