"""Contact sheets: many pictures on one."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from PIL import Image

from pipeline.contact_sheet import PAPER, contact_sheet
from pipeline.exports.format import Exported, Format, Picture, numbered
from pipeline.exports.steps import Numbered, edits_of

EDITS = 16
"""Rows of a sheet of edits, one for each."""
QUALITY = 92


@dataclass(frozen=True)
class Sheet(Format):
    """DIR/sheets: JPEG files named by their first picture. Faces are in a square of `columns`; an edit is a row, from
    the least strength to the greatest. size: of a picture in px.
    """

    columns: int = 8
    size: int = 160

    name: ClassVar[str] = "sheet"
    about: ClassVar[str] = "contact sheets, of edits a row for each"
    folder: ClassVar[str] = "sheets"

    @property
    def faces_in_a_file(self) -> int:
        """A square of them; of edits a sheet has fewer, and fits."""
        return self.columns**2

    def files(self, pictures: Sequence[Picture], shard: int) -> Iterator[Exported]:
        """As `Format`."""
        if not pictures:
            return
        if len(pictures[0].key) == 1:
            faces = list(enumerate(pictures))
            for first in range(0, len(faces), self.faces_in_a_file):
                yield self._sheet([faces[first : first + self.faces_in_a_file]], self.columns)
            return
        edits = list(edits_of(pictures))
        for first in range(0, len(edits), EDITS):
            rows = edits[first : first + EDITS]
            yield self._sheet(rows, max(map(len, rows)))

    def _sheet(self, rows: Sequence[Sequence[Numbered]], columns: int) -> Exported:
        images, captions, members = list[Image.Image](), list[str](), dict[int, str]()
        empty = Image.new("RGB", (self.size, self.size), PAPER)
        for row in rows:
            for place, picture in row:
                images.append(picture.decoded())
                captions.append(_caption(picture))
                members[place] = ""
            missing = columns - len(row) if len(rows) > 1 else 0
            images += [empty] * missing
            captions += [""] * missing
        sheet, file = contact_sheet(images, columns, captions, side=self.size), io.BytesIO()
        sheet.save(file, "JPEG", quality=QUALITY)
        first = min(picture.key for row in rows for _, picture in row)
        return Exported(f"{numbered(first)}.jpg", file.getvalue(), members)


def _caption(picture: Picture) -> str:
    """The face, or of an edit what was done to it."""
    facts = picture.facts
    if len(picture.key) == 1:
        return str(picture.key[0])
    if picture.key[-1] == 0:
        what = facts.get("attribute") or (f"direction {facts['index']}" if "face" in facts else "")
        return f"{facts.get('face', facts['index'])} {what}".strip() + ", source"
    if "deviations" in facts:
        return f"{facts['deviations']:+.2g} sd"
    return f"{facts['strength']:+.3g}" if "strength" in facts else f"step {picture.key[-1]}"
