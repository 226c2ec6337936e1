"""IALS: instance-aware latent-space search, along the gradients of scores mixed with attribute-level directions."""

from pipeline.editors.ials.config import PAPER_LAMBDAS, RELEASED_LAMBDAS, Config, Steps
from pipeline.editors.ials.ials import IALS, LAMBDAS

__all__ = ["IALS", "LAMBDAS", "PAPER_LAMBDAS", "RELEASED_LAMBDAS", "Config", "Steps"]
