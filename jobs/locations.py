"""Locations of tables and files on the command line: a path, or any fsspec URL."""

from typing import Literal, get_origin

import tyro
from fsspec.implementations.memory import MemoryFileSystem
from pydantic.fields import FieldInfo

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
"""Fields of specs that name directories, tables or files; further ones say so where they say what stands for them."""

PLACES = ("DIR", "TABLE", "FILE")
"""How that begins."""

AS_TYPED = ("edits", "from_", "working_dir")
"""Of these, those that are kept as they were typed, for records and messages, as all positional ones are: the verb
makes them absolute where it opens them."""


def is_in_memory(url: str) -> bool:
    """Whether the URL is in this process's memory: lost when the command ends, and not seen by other processes."""
    return isinstance(store.resolve(url)[0], MemoryFileSystem)


def absolute(url: str) -> str:
    """A local path from the root, since workers have working directories of their own; other URLs as they are."""
    path = store.local_path(url)
    return url if path is None else str(path.absolute())


def is_location(name: str, info: FieldInfo) -> bool:
    """Whether a field of a spec names places: --scores of edit is one of four words."""
    extra = info.json_schema_extra
    shown = str(extra.get("metavar", "")) if isinstance(extra, dict) else ""
    return (name in FIELDS and get_origin(info.annotation) is not Literal) or shown.startswith(PLACES)


def stays_as_typed(name: str, info: FieldInfo) -> bool:
    """Whether a field that names places keeps relative paths."""
    return name in AS_TYPED or tyro.conf.Positional in info.metadata
