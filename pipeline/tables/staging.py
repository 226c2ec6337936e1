"""Files on their way to an object store, on this machine's temporary disk.

They lie in TMPDIR/stylemill-UID/PID-TOKEN/, one directory for each process, which holds the lock on the file `lock` in
it for as long as it lives. The system gives the lock back when the process ends, however it ends; so whose lock can be
had is gone, in whatever container or namespace it ran, and its files may go too.
"""

import atexit
import errno
import fcntl
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.errors import StoreError
from pipeline.tables.store_errors import AGAIN, store_errors

_LOCK = "lock"
_own: tuple[int, Path, int] | None = None  # pid, directory, handle of the lock


def directory() -> Path:
    """The directory of this process, made at the first call, after what killed processes left has been swept away.

    Raises StoreError where it cannot be made.
    """
    global _own  # noqa: PLW0603  the directory belongs to the process as a whole
    if _own is not None and _own[0] != os.getpid():
        os.close(_own[2])  # a fork: the directory stays its parent's
        _own = None
    if _own is None or not _own[1].exists():
        with disk_errors(str(_home())):
            sweep_staged()
            while (made := _make()) is None:
                pass
        _own = (os.getpid(), *made)
        atexit.register(_leave, *_own)
    return _own[1]


def sweep_staged() -> int:
    """Delete what killed processes left in the temporary directory of this machine; how many processes they were."""
    swept = 0
    with suppress(FileNotFoundError):
        for folder in list(_home().iterdir()):
            with suppress(OSError):  # another sweeper was here first
                handle = os.open(folder / _LOCK, os.O_RDWR)
                try:
                    if _have_lock(handle):
                        shutil.rmtree(folder, ignore_errors=True)
                        swept += 1
                finally:
                    os.close(handle)
    return swept


@contextmanager
def disk_errors(path: str) -> Iterator[None]:
    """`store_errors` for files in the temporary directory: a full disk is that one's, not the store's."""
    with store_errors("write", path), full_disk_errors(path):
        yield


@contextmanager
def full_disk_errors(path: str) -> Iterator[None]:
    """A full disk as a StoreError that names the temporary directory; other errors pass through."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise StoreError(
            f"cannot write {path}: the disk of the temporary directory {tempfile.gettempdir()}, where parts are kept "
            f"until they are uploaded, is full: free some space there, or set TMPDIR to a directory on a larger disk "
            f"(on the workers' machines), {AGAIN}"
        ) from error


def _home() -> Path:
    return Path(tempfile.gettempdir()) / f"stylemill-{os.getuid()}"


def _make() -> tuple[Path, int] | None:
    """A fresh directory and its lock; None where a sweeper took it in the moment before it was locked."""
    folder = _home() / f"{os.getpid()}-{secrets.token_hex(4)}"
    folder.mkdir(parents=True, mode=0o700)
    try:
        handle = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    except FileNotFoundError:
        return None
    if _have_lock(handle) and (folder / _LOCK).exists():
        return folder, handle
    os.close(handle)
    return None


def _have_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _leave(pid: int, folder: Path, handle: int) -> None:
    if pid == os.getpid():
        shutil.rmtree(folder, ignore_errors=True)
        with suppress(OSError):
            os.close(handle)
