"""Making a file in a store only where there is none: one of many callers wins. See `store.create_exclusive`."""

import errno
import secrets
import threading
import time
from contextlib import suppress
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from pipeline.tables.retries import http_status, with_retries

S3 = {"s3", "s3a"}
CONDITIONAL = S3 | {"gs", "gcs", "abfs", "abfss", "az"}
CLAIM_SECONDS = 0.5
MARK = "stylemill"

_conditional_stores: dict[tuple[AbstractFileSystem, str], bool] = {}
_memory = threading.Lock()


def create(fs: AbstractFileSystem, path: str, content: bytes) -> bool:
    """Make the file unless it exists: True for the one caller who made it. Raises what the store raises."""
    if isinstance(fs, MemoryFileSystem):
        with _memory:
            return _conditionally(fs, path, content)
    if protocols(fs) & CONDITIONAL and _supports_condition(fs, path):
        return _conditionally(fs, path, content)
    return _by_claim(fs, path, content)


def protocols(fs: AbstractFileSystem) -> set[str]:
    return {fs.protocol} if isinstance(fs.protocol, str) else set(fs.protocol)


def _conditionally(fs: AbstractFileSystem, path: str, content: bytes) -> bool:
    """One request that the store refuses where there is a file.

    An answer may be lost on its way back, and the next try then finds our own file there. On S3, whose library
    retries by itself without notice, the file has a mark of this call in its metadata; elsewhere the bytes are compared
    if one of our tries had failed before.
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

    return with_retries(attempt)


def _says_taken(error: Exception) -> bool:
    return isinstance(error, FileExistsError) or http_status(error) == 412


def _supports_condition(fs: AbstractFileSystem, path: str) -> bool:
    """Whether the store supports the condition: tried on a file of our own, once per process and bucket.

    An S3-compatible store without it ignores the condition, and every caller would win.
    """
    key = (fs, path.split("/", 1)[0])
    if key not in _conditional_stores:
        probe = f"{path}.{secrets.token_hex(4)}.probe"
        try:
            with_retries(fs.pipe_file, probe, b"")
            _conditional_stores[key] = not _accepts_again(fs, probe)
        finally:
            with_retries(fs.rm_file, probe)
    return _conditional_stores[key]


def _accepts_again(fs: AbstractFileSystem, probe: str) -> bool:
    try:
        with_retries(fs.pipe_file, probe, b"again", mode="create")
    except OSError as error:
        if _says_taken(error):
            return False
        if error.errno != errno.ENOSYS:
            raise
    return True


def _by_claim(fs: AbstractFileSystem, path: str, content: bytes) -> bool:
    """For stores without a condition: the last one to write its token beside the file, within a moment, may make it."""
    claim, token = f"{path}.claim", secrets.token_hex(8).encode()
    if with_retries(fs.exists, path):
        return False
    with_retries(fs.pipe_file, claim, token)
    time.sleep(CLAIM_SECONDS)
    if _read(fs, claim) != token or with_retries(fs.exists, path):
        _wait_for(fs, path)
        return False
    with_retries(fs.pipe_file, path, content)
    with suppress(FileNotFoundError):
        with_retries(fs.rm_file, claim)
    return True


def _read(fs: AbstractFileSystem, path: str) -> bytes | None:
    try:
        return bytes(with_retries(fs.cat_file, path))
    except FileNotFoundError:
        return None


def _wait_for(fs: AbstractFileSystem, path: str) -> None:
    """Wait for the winner's file, so that a caller who lost can read it."""
    deadline = time.monotonic() + 4 * CLAIM_SECONDS
    while not with_retries(fs.exists, path) and time.monotonic() < deadline:
        time.sleep(CLAIM_SECONDS / 10)
