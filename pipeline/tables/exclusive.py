"""Making a file in a store only where there is none: one of many callers wins. See `store.create_exclusive`."""

import errno
import secrets
import threading
import time
from contextlib import suppress
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from pipeline.tables.patience import http_status, patiently

S3 = {"s3", "s3a"}
CONDITIONAL = S3 | {"gs", "gcs", "abfs", "abfss", "az"}
SETTLE_SECONDS = 0.5
MARK = "stylemill"

_heeding: dict[tuple[AbstractFileSystem, str], bool] = {}
_memory = threading.Lock()


def create(fs: AbstractFileSystem, path: str, content: bytes) -> bool:
    """Make the file unless it exists: True for the one caller who made it. Raises what the store raises."""
    if isinstance(fs, MemoryFileSystem):
        with _memory:
            return _conditionally(fs, path, content)
    if protocols(fs) & CONDITIONAL and _heeds(fs, path):
        return _conditionally(fs, path, content)
    return _by_claim(fs, path, content)


def protocols(fs: AbstractFileSystem) -> set[str]:
    return {fs.protocol} if isinstance(fs.protocol, str) else set(fs.protocol)


def _conditionally(fs: AbstractFileSystem, path: str, content: bytes) -> bool:
    """One request that the store refuses where there is a file.

    An answer may be lost on its way back, and the next try then finds our own file there. On S3, whose library tries
    again by itself and does not tell, the file carries a mark of this call; elsewhere the bytes are compared, if a try
    of ours had failed before.
    """
    mark = secrets.token_hex(8)
    marked: dict[str, Any] = {"Metadata": {MARK: mark}} if protocols(fs) & S3 else {}
    failed = False

    def attempt() -> bool:
        nonlocal failed
        try:
            fs.pipe_file(path, content, mode="create", **marked)
        except Exception as error:
            if not _says_taken(error):
                failed = True
                raise
            try:
                if marked:
                    return bool(fs.metadata(path, refresh=True).get(MARK) == mark)
                return failed and bool(fs.cat_file(path) == content)
            except FileNotFoundError:
                return False
        return True

    return patiently(attempt)


def _says_taken(error: Exception) -> bool:
    return isinstance(error, FileExistsError) or http_status(error) == 412


def _heeds(fs: AbstractFileSystem, path: str) -> bool:
    """Whether the store heeds the condition: tried on a file of our own, once a process for each bucket.

    A store that speaks S3 and does not know the condition ignores it, and every caller would win.
    """
    key = (fs, path.split("/", 1)[0])
    if key not in _heeding:
        probe = f"{path}.{secrets.token_hex(4)}.probe"
        try:
            patiently(fs.pipe_file, probe, b"")
            _heeding[key] = not _accepts_again(fs, probe)
        finally:
            patiently(fs.rm_file, probe)
    return _heeding[key]


def _accepts_again(fs: AbstractFileSystem, probe: str) -> bool:
    try:
        patiently(fs.pipe_file, probe, b"again", mode="create")
    except OSError as error:
        if _says_taken(error):
            return False
        if error.errno != errno.ENOSYS:
            raise
    return True


def _by_claim(fs: AbstractFileSystem, path: str, content: bytes) -> bool:
    """For stores without a condition: the last one to write his token beside the file, within a moment, may make it."""
    claim, token = f"{path}.claim", secrets.token_hex(8).encode()
    if patiently(fs.exists, path):
        return False
    patiently(fs.pipe_file, claim, token)
    time.sleep(SETTLE_SECONDS)
    if _read(fs, claim) != token or patiently(fs.exists, path):
        _wait_for(fs, path)
        return False
    patiently(fs.pipe_file, path, content)
    with suppress(FileNotFoundError):
        patiently(fs.rm_file, claim)
    return True


def _read(fs: AbstractFileSystem, path: str) -> bytes | None:
    try:
        return bytes(patiently(fs.cat_file, path))
    except FileNotFoundError:
        return None


def _wait_for(fs: AbstractFileSystem, path: str) -> None:
    """The winner's file is about to be there: who lost may read it, not take it for a missing one."""
    deadline = time.monotonic() + 4 * SETTLE_SECONDS
    while not patiently(fs.exists, path) and time.monotonic() < deadline:
        time.sleep(SETTLE_SECONDS / 10)
