"""Where tables and files lie, as a person types it: a path, or any fsspec URL."""

from fsspec.implementations.memory import MemoryFileSystem

from pipeline.tables import store

FIELDS = (
    "out",
    "latents",
    "labels",
    "directions",
    "edits",
    "artifact",
    "calibration",
    "codes",
    "scores",
    "file",
    "files",
    "from_",
    "working_dir",
)
"""Fields of specs that name directories, tables or files."""


def ends_with_this_process(url: str) -> bool:
    """Whether what is written there is gone when the command ends, and seen by no other process."""
    return isinstance(store.resolve(url)[0], MemoryFileSystem)


def absolute(url: str) -> str:
    """A local path from the root, since workers have working directories of their own; other URLs as they are."""
    path = store.local_path(url)
    return url if path is None else str(path.absolute())
