"""Codes of one's own, as readers meet them: rows whose truncation is not known."""

PSI_OR_NONE = [None, 0.5, None, None, 0.75, None, 1.0]
"""Some are sampled by others, some are inverted photos."""
