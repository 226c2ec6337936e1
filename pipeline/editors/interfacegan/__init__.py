"""InterFaceGAN: along attribute-level directions, from which others may be projected out."""

from pipeline.editors.interfacegan.config import Config
from pipeline.editors.interfacegan.linear import InterFaceGAN

__all__ = ["Config", "InterFaceGAN"]
