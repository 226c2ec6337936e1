"""Each picture a file, as it was encoded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from pipeline.exports.format import CSV, Exported, Format, Picture, numbered


@dataclass(frozen=True)
class Files(Format):
    """DIR/pictures: a file for each picture, named by its numbers."""

    name: ClassVar[str] = "files"
    about: ClassVar[str] = "a file for each picture"
    folder: ClassVar[str] = "pictures"
    decodes: ClassVar[bool] = False
    loads: ClassVar[tuple[str, ...]] = ("pictures/*", CSV)

    def files(self, pictures: Sequence[Picture], shard: int) -> Iterator[Exported]:
        """As `Format`; the bytes are those of the table."""
        for place, picture in enumerate(pictures):
            yield Exported(f"{numbered(picture.key)}.{picture.extension}", picture.content, {place: ""})
