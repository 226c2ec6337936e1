"""Pictures of edits in the order in which they are looked at, and their size."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from PIL import Image

from pipeline.exports.format import Picture

DISTANCES = ("strength", "deviations")
"""Columns that tell how far a picture is from its source."""

Numbered = tuple[int, Picture]
"""A picture with its place among those that a format was given."""


def edits_of(pictures: Sequence[Picture]) -> Iterator[list[Numbered]]:
    """The pictures of each edit, all but the last of whose numbers are the same, in order along it.

    From the least strength to the greatest, with the source where its strength, 0, is; backwards where none is above 0,
    so that an edit to one side begins with its source. Steps of equal strength stay in their order.
    """
    for _, same in groupby(enumerate(pictures), lambda one: one[1].key[:-1]):
        yield _along(list(same))


def square_of(image: Image.Image, side: int | None) -> Image.Image:
    """The picture resized to `side` px, or as it is."""
    if side is None or image.size == (side, side):
        return image
    return image.resize((side, side), Image.Resampling.LANCZOS)


def _along(edit: list[Numbered]) -> list[Numbered]:
    name = next((name for name in DISTANCES if name in edit[0][1].facts), None)
    if name is None:
        return edit
    distances = [picture.facts[name] for _, picture in edit]
    sign = 1 if max(distances) > 0 else -1
    return sorted(edit, key=lambda one: sign * one[1].facts[name])
