"""The few pictures that a page shows, out of a table that may hold millions, as small WebP data URIs."""

import base64
import io
from collections.abc import Collection, Iterable, Iterator, Mapping

import pyarrow as pa
from PIL import Image

from pipeline.contact_sheet import square
from pipeline.tables import Table

SIDES = (384, 320, 256, 192, 128, 96)
"""Sizes of a thumbnail in px, best first. On the page it is drawn at about 110 px; a click enlarges it."""
BUDGET_BYTES = 4_500_000
"""What the thumbnails of one page may weigh together, each counted as often as the page repeats it."""
BYTES_PER_PIXEL = 1 / 16
"""Less than any photograph takes: with it, sizes that cannot keep the budget are not even tried."""
GROUP_ROWS = 100
"""Rows of a row group of pictures, at most (schemas.images): wanted rows this near are read in one go."""


def read(images: Table, wanted: Collection[int]) -> Iterator[tuple[int, bytes]]:
    """Read (index, encoded picture) of the wanted rows, touching only the row groups that hold them.

    A wanted row that is not in the table (its shard is not published yet) is passed over.
    """
    for shard, indices in by_shard(images, sorted(wanted)):
        rows = images.read(["index", "image"], None if shard is None else [shard], indices)
        keep = [place for place, index in enumerate(rows["index"].to_pylist()) if index in wanted]
        for row in rows.take(pa.array(keep, pa.int64())).to_pylist():
            yield row["index"], row["image"]["bytes"]


def of_faces(images: Table, wanted: Collection[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
    """Encoded pictures of aligned faces, by photo and number; those that are not there are left out."""
    found: dict[tuple[int, int], bytes] = {}
    for shard, indices in by_shard(images, sorted({photo for photo, _ in wanted})):
        for row in images.read(shards=None if shard is None else [shard], indices=indices).to_pylist():
            if (key := (row["index"], row["face_number"])) in wanted:
                found[key] = row["image"]["bytes"]
    return found


def by_shard(images: Table, wanted: list[int]) -> Iterator[tuple[int | None, range]]:
    """The wanted rows as short ranges. A sealed table finds the shard itself; in another, every part is asked once."""
    if images.manifest() is not None:
        yield from ((None, indices) for indices in near(wanted))
        return
    for shard in images.parts():
        held = set(images.read(["index"], [shard])["index"].to_pylist())
        yield from ((shard, indices) for indices in near([index for index in wanted if index in held]))


def near(wanted: list[int]) -> list[range]:
    """Cover rising indices by ranges of at most `GROUP_ROWS`, each beginning and ending on one of them."""
    ranges: list[range] = []
    for index in wanted:
        if ranges and index - ranges[-1].start < GROUP_ROWS:
            ranges[-1] = range(ranges[-1].start, index + 1)
        else:
            ranges.append(range(index, index + 1))
    return ranges


def thumbnails(pictures: Iterable[tuple[int, bytes]], uses: Mapping[int, int]) -> dict[int, str]:
    """Make a data URI of each readable picture, all of one size: the largest of `SIDES` that keeps the budget.

    Args:
        pictures: (index, encoded picture); one that does not decode is left out.
        uses: how often the page shows each index.
    """
    places = sum(uses.values())
    sides = [side for side in SIDES if places * side * side * BYTES_PER_PIXEL <= BUDGET_BYTES] or [SIDES[-1]]
    small = {}
    for index, picture in pictures:
        if (image := decoded(picture, sides[0])) is not None:
            small[index] = square(image, sides[0])
    uris: dict[int, str] = {}
    for side in sides:
        uris = {i: _data_uri(image if image.width == side else square(image, side)) for i, image in small.items()}
        if sum(len(uri) * uses[index] for index, uri in uris.items()) <= BUDGET_BYTES:
            break
    return uris


def side_of(count: int) -> int:
    """The largest size that so many pictures can have."""
    return next((side for side in SIDES if count * side * side * BYTES_PER_PIXEL <= BUDGET_BYTES), SIDES[-1])


def decoded(picture: bytes, side: int) -> Image.Image | None:
    """The picture, of `side` px or more where it is that large; None where it does not decode."""
    try:
        with Image.open(io.BytesIO(picture)) as image:
            image.draft("RGB", (side, side))
            image.load()
            return image
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None


def _data_uri(image: Image.Image) -> str:
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=80, method=4)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()
