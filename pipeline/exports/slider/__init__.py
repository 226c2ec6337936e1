"""Pages on which edits are dragged along their strengths, methods side by side."""

from pipeline.exports.slider.faces import METHOD
from pipeline.exports.slider.format import FACES, Slider, check

__all__ = ["FACES", "METHOD", "Slider", "check"]
