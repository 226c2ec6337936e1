"""IALS: instance-aware latent-space search."""

from pipeline.editors.ials.ials import IALS, RELEASED_LAMBDAS

__all__ = ["IALS", "RELEASED_LAMBDAS"]
