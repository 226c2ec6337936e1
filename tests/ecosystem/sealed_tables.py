"""The tables that other people's readers open."""

NUMBERS = (
    "latents-w", "latents-ws", "labels", "rejects", "directions", "requests", "edits-w", "edits-ws", "metrics",
)  # fmt: skip
IMAGES = ("images-png", "images-jpeg", "images-webp")
PSI_OR_NONE = [None, 0.5, None, None, 0.75, None, 1.0]
"""Of codes of one's own: rows whose truncation is not known. Some are sampled by others, some are inverted photos."""
