"""Families of classifiers that a YAML file of one's own names: which names those are, and what stands for them."""

import re
from pathlib import Path, PurePosixPath

from pipeline.errors import SpecError
from pipeline.urls import mistake

ENDINGS = (".yaml", ".yml")


def is_own(name: str) -> bool:
    """Whether a family of classifiers is named by its YAML file."""
    return PurePosixPath(name).suffix.lower() in ENDINGS


def canonical(name: str) -> str:
    """The name that stands for a family in records: of a file its absolute path or its URL.

    Raises SpecError for a path that cannot be meant.
    """
    if not is_own(name):
        return name
    if why := mistake(name):
        raise SpecError(f"{name}: {why}")
    return name if "://" in name else str(Path(name).expanduser().absolute())


def short_name(name: str) -> str:
    """What columns, tables and calibrations call a family: of a file its name without the ending."""
    if not is_own(name):
        return name
    return re.sub(r"[^a-z0-9]+", "-", PurePosixPath(name).stem.lower()).strip("-") or "own"


def beside(own: str, other: str) -> str:
    """A path from where the file `own` lies; a URL or an absolute path as it is."""
    if "://" in other or other.startswith(("/", "~")):
        return other
    folder = own.rpartition("/")[0]
    return f"{folder}/{other}" if folder else other
