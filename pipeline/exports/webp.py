"""Edits as animated WebP files: all colours, and smaller than GIF."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from PIL import Image

from pipeline.exports.morph import Morph

QUALITY = 85


@dataclass(frozen=True)
class WebP(Morph):
    """Browsers and Pillow show it; some other programs show its first frame alone."""

    name: ClassVar[str] = "webp"
    about: ClassVar[str] = "the same in all colours, for browsers"
    extension: ClassVar[str] = "webp"

    def encode(self, frames: Sequence[Image.Image], seconds: float) -> bytes:
        """As `Morph`."""
        first, *others = frames
        file = io.BytesIO()
        first.save(
            file, "WEBP", save_all=True, append_images=others, duration=round(1000 * seconds), loop=0, quality=QUALITY
        )
        return file.getvalue()
