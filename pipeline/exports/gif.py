"""Edits as animated GIFs, which are shown everywhere, in 256 colours."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from PIL import Image

from pipeline.exports.morph import Morph

COLOURS = 256


@dataclass(frozen=True)
class Gif(Morph):
    """All frames have one palette, so that nothing flickers."""

    name: ClassVar[str] = "gif"
    about: ClassVar[str] = "an animation for each edit"
    extension: ClassVar[str] = "gif"

    def encode(self, frames: Sequence[Image.Image], seconds: float) -> bytes:
        """As `Morph`; Pillow leaves out a frame that equals the one before and shows that one longer."""
        width, height = frames[0].size
        all_of_them = Image.new("RGB", (width, height * len(frames)))
        for place, frame in enumerate(frames):
            all_of_them.paste(frame, (0, place * height))
        palette = all_of_them.quantize(COLOURS)
        first, *others = [frame.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG) for frame in frames]
        file = io.BytesIO()
        first.save(file, "GIF", save_all=True, append_images=others, duration=round(1000 * seconds), loop=0)
        return file.getvalue()
