"""What a source of photos is: a list of them, in an order that stays, and a way to read some."""

import hashlib
import os
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, TypeVar

import pyarrow as pa

from pipeline.errors import SpecError
from pipeline.photos.decode import Unreadable
from pipeline.tables import store
from pipeline.tables.retries import with_retries
from pipeline.tables.store_errors import one_line, store_errors

PICTURES = (
    ".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".jp2", ".ppm", ".heic", ".heif",
)  # fmt: skip
"""Endings of files that are taken for photos; those that are not read (HEIC) are rejected by name."""
MISSING, NOT_READABLE, CHANGED = "not there", "not readable", "changed since"
READS_AHEAD = 8
VERSIONS = ("ETag", "etag", "md5Hash", "generation", "mtime", "LastModified", "last_modified", "created")
"""What stores say of a file that is another one when it was written anew."""
UNKNOWN = -1

T = TypeVar("T")


class Place(NamedTuple):
    """Where a photo is: the file, as bytes, below the source's root; its part of the file, and how long that is in
    bytes, or UNKNOWN; its name in the file; and what tells the file from a later one of the same name.
    """

    file: bytes
    member: bytes
    offset: int
    size: int
    version: str

    @property
    def name(self) -> str:
        """For people and tables."""
        return (self.file + self.member).decode(errors="backslashreplace")


PLACES = pa.schema(
    [("file", pa.binary()), ("member", pa.binary()), ("offset", pa.int64()), ("size", pa.int64()),
     ("version", pa.string())]
)  # fmt: skip


class File(NamedTuple):
    """A file below a root, with its size and version."""

    name: bytes
    size: int
    version: str


@dataclass(frozen=True, eq=False)
class Listing:
    """The photos of a source, in order; a photo's index is its place in it. kind: name of the source's kind. root: a
    directory, to which the files' names belong. column: of a Parquet table, where the pictures are.
    """

    kind: str
    root: str
    places: pa.Table
    column: str = ""

    def __len__(self) -> int:
        return int(self.places.num_rows)

    def between(self, first: int, stop: int) -> list[Place]:
        """Of the photos [first, stop)."""
        return [Place(**row) for row in self.places.slice(first, stop - first).to_pylist()]

    @cached_property
    def digest(self) -> str:
        """Of all names, sizes and versions, and of no place where the source lies."""
        digest = hashlib.sha256(f"{self.kind} {self.column}".encode())
        for batch in self.places.to_batches():
            for row in batch.to_pylist():
                digest.update(repr(tuple(row.values())).encode())
        return digest.hexdigest()

    @property
    def size(self) -> int | None:
        """Bytes of all photos; None where that is not known before they are read."""
        sizes = self.places["size"].to_pylist()
        return None if UNKNOWN in sizes else sum(sizes)


def listing(kind: str, root: str, places: Iterable[Place], column: str = "") -> Listing:
    """Of these places."""
    rows = list(places)
    columns = {name: [getattr(row, name) for row in rows] for name in PLACES.names}
    return Listing(kind, root, pa.table(columns, schema=PLACES), column)


class Source(ABC):
    """Base of the kinds of sources. name: of the kind. about: in a few words, for the help. endings: of its files."""

    name: ClassVar[str]
    about: ClassVar[str]
    endings: ClassVar[tuple[str, ...]]

    @abstractmethod
    def list(self, root: str, files: Sequence[File], column: str | None) -> Listing:
        """The photos of files of this kind. Raises SpecError where one is none."""

    def read(self, listing: Listing, wanted: Sequence[int]) -> Iterator["bytes | Unreadable"]:
        """The bytes of each of these photos, in rising order, or why there are none; several are read at the same time,
        each from its part of its file. Raises StoreError where the store fails.
        """
        return ahead(partial(content_of, listing.root), (listing.between(index, index + 1)[0] for index in wanted))


def files_at(url: str) -> tuple[str, list[File]]:
    """The root and all files of a directory, below it too, in order of their names, or the one file that it is. Files
    and directories whose names begin with a dot are left out.

    Raises:
        SpecError: there is nothing.
        StoreError: the store fails.
    """
    local = store.local_path(url)
    with store_errors("list", url):
        root, found = _local(local) if local is not None else _remote(url)
    if not found:
        raise SpecError(f"{url}: there is no such file, and no directory with files; check the path")
    return root, sorted(found)


def _local(path: Path) -> tuple[str, list[File]]:
    if path.is_file():
        return str(path.parent), [_local_file(path.parent, path.name)]
    found = list[File]()
    for folder, folders, names in os.walk(path):
        folders[:] = [name for name in folders if not name.startswith(".")]
        inside = os.path.relpath(folder, path)
        for name in names:
            if not name.startswith("."):
                below = name if inside == "." else f"{inside}/{name}"
                if (path / below).is_file():
                    found.append(_local_file(path, below))
    return str(path), found


def _local_file(root: Path, name: str) -> File:
    about = (root / name).stat()
    return File(os.fsencode(name), about.st_size, str(about.st_mtime_ns))


def _remote(url: str) -> tuple[str, list[File]]:
    fs, path = store.resolve(url)
    path = path.rstrip("/")
    found: dict[str, dict[str, Any]] = with_retries(fs.find, path, detail=True)
    if set(found) == {path}:
        return store.parent(url), [_remote_file(path.rsplit("/", 1)[-1], found[path])]
    below = {name.removeprefix(path).lstrip("/"): about for name, about in found.items()}
    shown = {name: about for name, about in below.items() if not any(part[:1] == "." for part in name.split("/"))}
    return url.rstrip("/"), [_remote_file(name, about) for name, about in shown.items() if name]


def _remote_file(name: str, about: dict[str, Any]) -> File:
    version = next((str(about[key]).strip('"') for key in VERSIONS if about.get(key)), "")
    return File(name.encode(errors="surrogateescape"), int(about.get("size") or 0), version)


def opened(root: str, file: bytes) -> Any:
    """The file, to be read in parts; its errors are those of the store."""
    name = os.fsdecode(file)
    if (local := store.local_path(root)) is not None:
        return (local / name).open("rb")
    fs, path = store.resolve(root)
    return with_retries(fs.open, f"{path.rstrip('/')}/{name}", "rb")


def content_of(root: str, place: Place) -> "bytes | Unreadable":
    """The bytes of one photo. Raises StoreError where the store fails, other than on this file alone."""
    name, whole = os.fsdecode(place.file), not place.offset and not place.member
    start, stop = (None, None) if whole else (place.offset, place.offset + place.size)
    try:
        with store_errors("read", f"{root}/{place.name}"):
            if (local := store.local_path(root)) is not None:
                with (local / name).open("rb") as file:
                    file.seek(start or 0)
                    content = file.read() if stop is None else file.read(place.size)
            else:
                fs, path = store.resolve(root)
                content = with_retries(fs.cat_file, f"{path.rstrip('/')}/{name}", start, stop)
    except Exception as error:
        cause = error.__cause__ or error
        if isinstance(cause, FileNotFoundError):
            return Unreadable(MISSING, "the file was there when the photos were listed, and is not now")
        if isinstance(cause, PermissionError | IsADirectoryError):
            return Unreadable(NOT_READABLE, one_line(cause))
        raise
    if place.size not in (UNKNOWN, len(content)):
        return Unreadable(CHANGED, f"it has {len(content)} bytes, and had {place.size} when the photos were listed")
    return bytes(content)


def ahead(read: Callable[[T], "bytes | Unreadable"], places: Iterable[T]) -> Iterator["bytes | Unreadable"]:
    """What `read` gives of each, some of them read at the same time."""
    waiting: deque[Future[bytes | Unreadable]] = deque()
    left = iter(places)
    with ThreadPoolExecutor(READS_AHEAD, thread_name_prefix="photos") as threads:
        waiting.extend(threads.submit(read, place) for place in islice(left, READS_AHEAD))
        while waiting:
            content = waiting.popleft().result()
            waiting.extend(threads.submit(read, place) for place in islice(left, 1))
            yield content


def is_picture(name: bytes) -> bool:
    """By its ending."""
    return name.decode(errors="replace").lower().endswith(PICTURES)
