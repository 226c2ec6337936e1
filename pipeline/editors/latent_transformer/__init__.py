"""The Latent Transformer: a non-linear move of latents for each attribute, trained in latent space (ICIP 2021)."""

from pipeline.editors.latent_transformer.config import Config
from pipeline.editors.latent_transformer.training import TrainConfig

__all__ = ["Config", "TrainConfig"]
