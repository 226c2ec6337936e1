"""Edits as films in H.264, by PyAV, whose wheel brings FFmpeg with it."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

from PIL import Image

from pipeline.exports.morph import Morph

CONSTANT_QUALITY = "18"
"""x264's crf: about what the eye cannot tell from the source."""


@dataclass(frozen=True)
class Mp4(Morph):
    """Sides are even numbers, as H.264 with half the colours of 4:2:0 wants them: an odd one loses a pixel."""

    name: ClassVar[str] = "mp4"
    about: ClassVar[str] = "a film for each edit (extra `video`)"
    extension: ClassVar[str] = "mp4"
    needs: ClassVar[tuple[str, str] | None] = ("av", "video")

    def encode(self, frames: Sequence[Image.Image], seconds: float) -> bytes:
        """As `Morph`; by one thread, so that equal frames make equal bytes."""
        import av

        width, height = (side - side % 2 for side in frames[0].size)
        file = io.BytesIO()
        with av.open(file, "w", format="mp4") as film:
            stream = film.add_stream("libx264", rate=Fraction(1 / seconds).limit_denominator(1000))
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.options = {"crf": CONSTANT_QUALITY}
            stream.codec_context.thread_count = 1
            for image in frames:
                frame = av.VideoFrame.from_image(image.crop((0, 0, width, height)))
                film.mux(stream.encode(frame))
            film.mux(stream.encode())
        return file.getvalue()
