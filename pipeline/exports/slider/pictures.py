"""The pictures of a page, encoded so that together they keep within its size."""

import base64
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from PIL import Image

from pipeline.exports.format import Picture
from pipeline.exports.steps import square_of

SETTINGS = ((320, 80), (256, 80), (256, 70), (224, 70), (192, 70), (160, 65), (128, 60), (96, 50))
"""Pixels of a side and quality of WebP, best first."""
QUALITIES = (85, 75, 65, 50)
"""The same where the size is given."""
TRIED = 24
"""Pictures by which is judged whether all would be too large."""
CERTAIN = 1.2
"""How much larger these may be than all are on average."""
BYTES_PER_PIXEL = 1 / 16
"""Less than any face takes in base64."""


@dataclass(frozen=True)
class Fitted:
    """uris: data URIs. said: their size and quality, in words."""

    uris: Sequence[str]
    said: str


def least(size: int | None) -> float:
    """Bytes of a picture in a page, at least."""
    return (size or SETTINGS[-1][0]) ** 2 * BYTES_PER_PIXEL


def fitted(pictures: Sequence[Picture], size: int | None, room: int) -> Fitted | None:
    """As they are where they have the size and there is room for them in so many bytes; else the best of the settings
    by which there is. None where there is none.
    """
    kept = max(_side(picture) for picture in pictures)
    if size in (None, kept) and sum(_bytes(len(picture.content)) for picture in pictures) <= room:
        kinds = ({"jpg": "jpeg"}.get(picture.extension, picture.extension) for picture in pictures)
        uris = [_uri(picture.content, kind) for picture, kind in zip(pictures, kinds, strict=True)]
        return Fitted(uris, f"{kept} px, as they were kept")
    for side, quality in _settings(size, kept):
        some = pictures[:: math.ceil(len(pictures) / TRIED)]
        if sum(_bytes(len(_encoded(one, side, quality))) for one in some) / len(some) * len(pictures) > CERTAIN * room:
            continue
        uris = [_uri(_encoded(picture, side, quality), "webp") for picture in pictures]
        if sum(map(len, uris)) <= room:
            return Fitted(uris, f"{side} px, WebP of quality {quality}, " + _why(size, kept))
    return None


def _settings(size: int | None, kept: int) -> Iterator[tuple[int, int]]:
    if size is not None:
        yield from ((size, quality) for quality in QUALITIES)
        return
    found = [one for one in SETTINGS if one[0] <= kept]
    yield from found or [(kept, quality) for quality in QUALITIES]


def _why(size: int | None, kept: int) -> str:
    if size is not None:
        return f"from {kept} px, as asked"
    return f"reduced from {kept} px as they were kept, since the page would be too large with these"


def _side(picture: Picture) -> int:
    with Image.open(io.BytesIO(picture.content)) as image:
        return max(image.size)


def _encoded(picture: Picture, side: int, quality: int) -> bytes:
    file = io.BytesIO()
    square_of(picture.decoded(), side).save(file, "WEBP", quality=quality, method=4)
    return file.getvalue()


def _bytes(content: int) -> int:
    """Of so many bytes as a data URI, at most."""
    return len("data:image/jpeg;base64,") + 4 * math.ceil(content / 3)


def _uri(content: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
