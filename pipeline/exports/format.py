"""What a format is: pictures of some faces, in order, become files."""

import io
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from PIL import Image

CSV = "metadata.csv"
"""A line for each picture, beside the files; Hugging Face's loader of image folders looks for this name."""
EXTENSIONS = {"PNG": "png", "JPEG": "jpg", "WEBP": "webp"}


class Undecodable(ValueError):
    """The bytes are no picture that Pillow reads."""


@dataclass(frozen=True)
class Picture:
    """An encoded picture. key: the numbers that tell it apart, that of its face first. facts: what is known of it, by
    column; None where it is missing.
    """

    key: tuple[int, ...]
    content: bytes
    facts: Mapping[str, Any]

    @cached_property
    def extension(self) -> str:
        """By its content. Raises Undecodable."""
        try:
            with Image.open(io.BytesIO(self.content), formats=list(EXTENSIONS)) as image:
                return EXTENSIONS[str(image.format)]
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise Undecodable("not a whole PNG, JPEG or WebP file") from error

    def check(self, pixels: bool) -> None:
        """Raise Undecodable where it cannot be read: its header alone, or all of it, if its pixels are needed."""
        if pixels:
            self.decoded()
        else:
            _ = self.extension

    def decoded(self) -> Image.Image:
        """In RGB. Raises Undecodable."""
        try:
            with Image.open(io.BytesIO(self.content), formats=list(EXTENSIONS)) as image:
                return image.convert("RGB")
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise Undecodable(str(error)) from error


@dataclass(frozen=True)
class Exported:
    """A file, by its name; and the pictures in it, by their places among those that the format was given, with their
    names in it where it is an archive.
    """

    name: str
    content: bytes
    pictures: Mapping[int, str]


@dataclass(frozen=True)
class Format(ABC):
    """Base of the formats, whose fields are the flags that they take, with defaults.

    name: of `--format`. about: in a few words, for the help. folder: the directory of its files. decodes: whether it
    looks at pixels; else the encoded pictures are copied. needs: a package that it imports, and the extra of that.
    of_edits: whether it shows several pictures of a face, one after the other. several: whether it shows edits of
    several directories, side by side.
    loads: the files that Hugging Face's `datasets` loads, below the directory.
    """

    name: ClassVar[str]
    about: ClassVar[str]
    folder: ClassVar[str]
    decodes: ClassVar[bool] = True
    of_edits: ClassVar[bool] = False
    several: ClassVar[bool] = False
    needs: ClassVar[tuple[str, str] | None] = None
    loads: ClassVar[tuple[str, ...]] = (CSV,)

    @property
    def faces_in_a_file(self) -> int:
        """How many faces a file has room for; shards are whole files. 1 where each face has files of its own."""
        return 1

    @abstractmethod
    def files(self, pictures: Sequence[Picture], shard: int) -> Iterator[Exported]:
        """The files of these pictures, which are all of some faces, in rising order of their keys; shard: the number
        of these faces' shard.

        Each picture is in one file. All are readable: `Picture.extension`, or `decoded` where the format decodes.
        """


def numbered(key: Sequence[int]) -> str:
    """The numbers of a key as a file's name: `000000012`, or `000000012-00-03` of a step of an edit."""
    first, *rest = key
    return "-".join([f"{first:09d}", *(f"{number:02d}" for number in rest)])
