"""A directory of picture files, or one file: on a disk, in a bucket, or wherever fsspec reaches."""

from collections.abc import Sequence
from typing import ClassVar

from pipeline.stages.photo_sources.source import PICTURES, File, Listing, Place, Source, is_picture, listing


class Folder(Source):
    """Files by their names, in all directories below; what does not end as pictures do is left out."""

    name: ClassVar[str] = "folder"
    about: ClassVar[str] = "a directory or bucket of pictures"
    endings: ClassVar[tuple[str, ...]] = PICTURES

    def list(self, root: str, files: Sequence[File], column: str | None) -> Listing:
        """All pictures among the files."""
        found = [file for file in files if is_picture(file.name)]
        return listing(self.name, root, (Place(file.name, b"", 0, file.size, file.version) for file in found))
