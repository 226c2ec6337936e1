"""What the moving pictures have in common: an edit is shown step by step, along its strengths and back."""

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from PIL import Image

from pipeline.errors import SpecError
from pipeline.exports.format import Exported, Format, Picture, numbered
from pipeline.exports.steps import edits_of, square_of


@dataclass(frozen=True)
class Morph(Format):
    """DIR/morphs: a file for each edit, named by its face and request. It goes from one end of the strengths to the
    other and back, so that it can be repeated. Frames are pictures that the edit has kept, none is made up.

    seconds: from one end to the other. size: in px; as kept where it is None.
    """

    seconds: float = 2.0
    size: int | None = None

    folder: ClassVar[str] = "morphs"
    of_edits: ClassVar[bool] = True
    extension: ClassVar[str]

    def files(self, pictures: Sequence[Picture], shard: int) -> Iterator[Exported]:
        """As `Format`. Raises SpecError where pictures of an edit are of several sizes, and none is asked for."""
        for edit in edits_of(pictures):
            key = edit[0][1].key[:-1]
            frames = [square_of(picture.decoded(), self.size) for _, picture in edit]
            if len({frame.size for frame in frames}) > 1:
                raise SpecError(f"the pictures of edit {numbered(key)} have several sizes: pass --size")
            there_and_back = [*frames, *frames[-2:0:-1]]
            content = self.encode(there_and_back, self.seconds / max(1, len(frames) - 1))
            yield Exported(f"{numbered(key)}.{self.extension}", content, {place: "" for place, _ in edit})

    @abstractmethod
    def encode(self, frames: Sequence[Image.Image], seconds: float) -> bytes:
        """The file of these frames of one size, each shown so many seconds."""
