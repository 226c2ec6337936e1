"""Attribute-level directions in latent space: fitted, found without labels, projected, compared, read and written.

Arrays in, `Direction`s out. Nothing here knows a table, and nothing needs more than NumPy, PyTorch and scikit-learn.
"""

from pipeline.directions.direction import Direction, normalised

__all__ = ["Direction", "normalised"]
