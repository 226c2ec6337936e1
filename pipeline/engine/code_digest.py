"""Which code this process runs: a digest of the files of our packages, and their directories.

Versions are not enough: two checkouts of one version may hold different code and make different rows under one
fingerprint.
"""

import functools
import hashlib
import importlib.util
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("schemas", "pipeline", "jobs")
SUFFIXES = (".py", ".json", ".npy", ".parquet", ".safetensors", ".j2", ".css", ".js")
"""Of the files that a wheel holds; what else lies in a checkout is not installed and not read."""

INSTALLED = ("site-packages", "dist-packages")


@dataclass(frozen=True)
class Code:
    """`sha256` over paths and contents of the files; `roots`: the directories in which the packages lie."""

    sha256: str
    roots: tuple[str, ...]

    def __str__(self) -> str:
        return f"{' and '.join(self.roots) or 'nowhere'} (sha256 {self.sha256[:12]})"


@functools.cache
def running_code() -> Code:
    """That of this process, as it lay on disk at the first call."""
    return code_of([place for package in PACKAGES if (place := _place(package)) is not None])


def code_of(places: Sequence[Path]) -> Code:
    """That of these packages: directories, or files of single modules."""
    digest = hashlib.sha256()
    for place in places:
        files = {file.relative_to(place.parent).as_posix(): file for file in _files(place)}
        for name in sorted(files):
            digest.update(f"{name}\0".encode() + hashlib.sha256(files[name].read_bytes()).digest())
    return Code(digest.hexdigest(), tuple(dict.fromkeys(str(place.parent) for place in places)))


def import_path() -> list[str]:
    """Where another Python has to look to import the same code; nothing of what is installed, which it finds itself."""
    return [root for root in running_code().roots if Path(root).name not in INSTALLED]


def _place(package: str) -> Path | None:
    """The package's directory, or the file of a module that bears its name."""
    spec = importlib.util.find_spec(package)
    if spec is None:
        return None
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations))).resolve()
    return Path(spec.origin).resolve() if spec.origin else None


def _files(place: Path) -> Iterator[Path]:
    if place.is_file():
        yield place
        return
    yield from (file for file in place.rglob("*") if file.suffix in SUFFIXES and file.is_file())
