"""Sliders as a format: HTML pages of a few faces each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import ClassVar

from pipeline.errors import SpecError
from pipeline.exports.format import Exported, Format, Picture, numbered
from pipeline.exports.slider.faces import face_of
from pipeline.exports.slider.page import page
from pipeline.exports.slider.pictures import Fitted, fitted, least
from pipeline.exports.steps import Numbered

FACES = 16
"""Of a page."""
PAGE_BYTES = 12_000_000
"""Of a page, at most."""
SAID = 200
"""Letters in which a page says how its pictures are encoded, at most."""


@dataclass(frozen=True)
class Slider(Format):
    """DIR/sliders: HTML pages of 16 faces each, named by their first. size: of a picture in px; where it is None, as
    kept, or less where a page would be larger than 12 MB.
    """

    size: int | None = None

    name: ClassVar[str] = "slider"
    about: ClassVar[str] = "pages on which edits are dragged along their strengths, methods side by side"
    folder: ClassVar[str] = "sliders"
    of_edits: ClassVar[bool] = True
    several: ClassVar[bool] = True

    @property
    def faces_in_a_file(self) -> int:
        """Those of a page."""
        return FACES

    def files(self, pictures: Sequence[Picture], shard: int) -> Iterator[Exported]:
        """As `Format`; facts have the name of the method too. Raises SpecError where a page would be too large."""
        by_face = [list(its) for _, its in groupby(enumerate(pictures), lambda one: one[1].key[0])]
        for first in range(0, len(by_face), FACES):
            its = by_face[first : first + FACES]
            name = f"{numbered(its[0][0][1].key[:1])}.html"
            yield Exported(name, self._page(its).encode(), {place: "" for face in its for place, _ in face})

    def _page(self, by_face: Sequence[Sequence[Numbered]]) -> str:
        faces = [face_of([picture for _, picture in its]) for its in by_face]
        shown = [picture for face in faces for picture in face.pictures]
        text = len(page(faces, Fitted([""] * len(shown), " " * SAID)).encode())
        found = fitted(shown, self.size, PAGE_BYTES - text)
        if found is None:
            raise SpecError(too_large(len(faces), len(shown), self.size))
        return page(faces, found)


def too_large(faces: int, pictures: int, size: int | None = None) -> str:
    """What is said of a page that cannot be made."""
    asked = f" at --size {size}" if size else ""
    return (
        f"a slider of {faces} faces with {pictures:,} pictures{asked} would be larger than "
        f"{PAGE_BYTES / 1e6:g} MB: leave out methods, or steps as in --where 'step % 2 = 0'"
    )


def check(pictures: Sequence[int], size: int | None) -> None:
    """Raise SpecError where so many pictures of each face, as they are in order, are more than a page can hold."""
    for first in range(0, len(pictures), FACES):
        there = pictures[first : first + FACES]
        if sum(there) * least(size) > PAGE_BYTES:
            raise SpecError(too_large(len(there), sum(there), size))
