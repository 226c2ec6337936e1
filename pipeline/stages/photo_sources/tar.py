"""Tar files of pictures, as WebDataset has them: each picture is read from its place in the file."""

import tarfile
from collections.abc import Iterator, Sequence
from typing import ClassVar

from pipeline.errors import SpecError
from pipeline.stages.photo_sources.source import File, Listing, Place, Source, is_picture, listing, opened
from pipeline.tables.store_errors import one_line, store_errors


class Tar(Source):
    """The pictures in the order in which the files have them."""

    name: ClassVar[str] = "tar"
    about: ClassVar[str] = "tar files of pictures (WebDataset)"
    endings: ClassVar[tuple[str, ...]] = (".tar",)

    def list(self, root: str, files: Sequence[File], column: str | None) -> Listing:
        """Their members that end as pictures do. Raises SpecError for a file that is compressed, or no whole tar."""
        return listing(self.name, root, (place for file in files for place in _members(root, file)))


def _members(root: str, file: File) -> Iterator[Place]:
    name = file.name.decode(errors="backslashreplace")
    with store_errors("read", f"{root}/{name}"), opened(root, file.name) as content:
        try:
            with tarfile.open(fileobj=content, mode="r:", errors="surrogateescape") as archive:
                for member in archive:
                    inside = member.name.encode(errors="surrogateescape")
                    hidden = inside.rsplit(b"/", 1)[-1].startswith(b".")
                    if member.isreg() and is_picture(inside) and not hidden:
                        yield Place(file.name, b"/" + inside, member.offset_data, member.size, file.version)
        except tarfile.TarError as error:
            raise SpecError(
                f"{root}/{name}: not a whole tar file ({one_line(error)}); a compressed one cannot be read in parts: "
                "unpack it to .tar"
            ) from error
