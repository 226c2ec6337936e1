"""A text file with a path or URL in each line: files anywhere, of which nothing is known before they are read."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from pipeline.errors import SpecError, StylemillError
from pipeline.photos.decode import Unreadable
from pipeline.stages.photo_sources.source import (
    MISSING,
    NOT_READABLE,
    UNKNOWN,
    File,
    Listing,
    Place,
    Source,
    ahead,
    listing,
    opened,
)
from pipeline.tables import store
from pipeline.tables.store_errors import one_line


class Listed(Source):
    """In the order of the lines. Relative paths belong to the directory of the text file; empty lines are left out."""

    name: ClassVar[str] = "list"
    about: ClassVar[str] = "a .txt file with a path or URL in each line"
    endings: ClassVar[tuple[str, ...]] = (".txt",)

    def list(self, root: str, files: Sequence[File], column: str | None) -> Listing:
        """No file is looked at: another one of the same name is not noticed."""
        lines = list[bytes]()
        for file in files:
            with opened(root, file.name) as content:
                lines += [line for line in content.read().splitlines() if line.strip()]
        if binary := next((line for line in lines if b"\0" in line), None):
            raise SpecError(f"{root}: a line with a NUL character ({binary[:20]!r}): a list of paths is text")
        return listing(self.name, root, (Place(line, b"", 0, UNKNOWN, _version(line)) for line in lines))

    def read(self, listing: Listing, wanted: Sequence[int]) -> Iterator[bytes | Unreadable]:
        """Several at the same time; one that cannot be read is no other's fault."""
        places = (listing.between(index, index + 1)[0] for index in wanted)
        return ahead(lambda place: _read(listing.root, place), places)


def _version(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()[:8]


def _read(root: str, place: Place) -> bytes | Unreadable:
    url = os.fsdecode(place.file)
    try:
        if "://" not in url:
            local = store.local_path(root)
            if local is not None:
                return (local / Path(url).expanduser()).read_bytes()
            url = store.join(root, url)
        content = store.read_bytes(url)
    except FileNotFoundError:
        content = None
    except (OSError, StylemillError) as error:
        return Unreadable(NOT_READABLE, one_line(error))
    return Unreadable(MISSING, "there is no such file") if content is None else content
