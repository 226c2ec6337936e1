"""Files of models where they lie: local ones are read in place, remote ones are fetched once into the cache."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

from pipeline.errors import ModelFileError, SpecError
from pipeline.models.checkpoints import reading
from pipeline.models.checkpoints.checkpoint import Checkpoint
from pipeline.models.checkpoints.reference import Reference
from pipeline.models.zoo import cache
from pipeline.urls import mistake


def pinned(reference: Reference) -> Reference:
    """The same file by its absolute path, with its digest. A remote file is fetched unless the cache has it.

    Raises:
        SpecError: a path that cannot be meant.
        ModelFileError: there is no such file, it cannot be fetched, or it has another digest than it should.
    """
    place, path = _local(reference)
    digest = _digest(place, *_state(place, reference.path))
    if reference.sha256 not in (None, digest):
        raise ModelFileError(
            f"{reference.path} has sha256 {digest}, not the {reference.sha256} that was asked for: it is not read"
        )
    return dataclasses.replace(reference, path=path, sha256=digest)


def read(reference: Reference) -> Checkpoint:
    """The generator of a file, whose digest is checked if the reference has one.

    Raises:
        SpecError, ModelFileError: as `pinned`; ModelFileError also where it holds no generator that is known.
    """
    found = pinned(reference)
    return reading.read(content(found), found.path)


def content(reference: Reference) -> bytes:
    """All of a file that is pinned. Raises as `pinned`."""
    found = _local(reference)[0].read_bytes()
    if hashlib.sha256(found).hexdigest() != reference.sha256:
        raise ModelFileError(f"{reference.path} was written to while it was read: try again")
    return found


def _local(reference: Reference) -> tuple[Path, str]:
    """The file on this machine, and its path or URL as it stays in records."""
    if why := mistake(reference.path):
        raise SpecError(f"--generator {reference.path}: {why}")
    scheme, _, rest = reference.path.partition("://")
    if rest and scheme in ("file", "local"):
        return Path(rest), str(Path(rest))
    if rest:
        return _fetched(reference), reference.path
    path = Path(reference.path).expanduser().absolute()
    return path, str(path)


def _state(place: Path, name: str) -> tuple[int, int]:
    """Size and time of change, by which a digest is kept. Raises ModelFileError where there is no such file."""
    if place.is_dir():
        raise ModelFileError(f"{name} is a directory: name the file in it")
    try:
        found = place.stat()
    except OSError as error:
        raise ModelFileError(
            f"{name}: there is no such file on {socket.gethostname()} ({error.strerror}); a job on several machines "
            "needs a path that all of them have, or a URL"
        ) from error
    return found.st_size, found.st_mtime_ns


@functools.lru_cache(maxsize=64)
def _digest(place: Path, size: int, changed: int) -> str:
    try:
        return cache.sha256_of(place)
    except OSError as error:
        raise ModelFileError(f"{place} cannot be read: {error.strerror}") from error


def _fetched(reference: Reference) -> Path:
    """The cache's copy of a remote file; where that has another digest than the reference, it is fetched again."""
    url = reference.path
    name = PurePosixPath(urlsplit(url).path).name or "file"
    kept = cache.home() / "files" / f"{hashlib.sha256(url.encode()).hexdigest()[:16]}-{name[-80:]}"
    with _lock(kept):
        whole = kept.is_file() and (reference.sha256 is None or cache.sha256_of(kept) == reference.sha256)
        if not whole:
            _fetch(url, kept)
    return kept


@contextlib.contextmanager
def _lock(kept: Path) -> Iterator[None]:
    """Held while a file is fetched: a second process waits and then finds it there."""
    from filelock import FileLock

    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        held = FileLock(kept.with_name(f".{kept.name}.lock"))
        held.acquire()
    except OSError as error:
        raise cache.Unusable(
            f"{kept.parent}: {error.strerror or error}: files cannot be kept there; set STYLEMILL_HOME to a "
            "directory of yours"
        ) from error
    try:
        yield
    finally:
        held.release()


def _fetch(url: str, kept: Path) -> None:
    import fsspec

    descriptor, staged = tempfile.mkstemp(prefix=".tmp-", dir=kept.parent)
    os.close(descriptor)
    try:
        store, inner = fsspec.core.url_to_fs(url)
        store.get_file(inner, staged)
        Path(staged).replace(kept)
    except FileNotFoundError as error:
        raise ModelFileError(f"{url}: there is no such file") from error
    except Exception as error:  # every store has its own errors
        raise ModelFileError(f"{url}: cannot be fetched: {type(error).__name__}: {error}") from error
    finally:
        Path(staged).unlink(missing_ok=True)
