"""Files of this machine's file systems, each whole or not at all: written under a hidden name beside it, then renamed.

Raises OSError as the system does; `store.py` tries again and says what to do.
"""

import errno
import os
import secrets
from pathlib import Path


def names(path: str) -> dict[str, int]:
    """Name -> bytes of each file in a directory. Raises FileNotFoundError."""
    found = {}
    with os.scandir(path) as entries:
        for entry in entries:
            try:
                if entry.is_file():
                    found[entry.name] = entry.stat().st_size
            except FileNotFoundError:  # deleted since, as hidden files on their way are
                continue
    return found


def write(path: Path, content: bytes) -> None:
    """Make the file or replace it, whole, also after a crash."""
    staged = _stage(path, content)
    try:
        staged.replace(path)
    except OSError:
        staged.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def create(path: Path, content: bytes) -> bool:
    """Make the file, whole, unless it exists; whether it was made."""
    staged = _stage(path, content)
    try:
        _link(staged, path)
    except FileExistsError:
        return False
    finally:
        staged.unlink(missing_ok=True)
    sync_directory(path.parent)
    return True


def staged_name(name: str) -> str:
    """A fresh name for a file on its way to be `name`: hidden, and of no kind that a reader opens."""
    return f".{name}.{os.getpid()}-{secrets.token_hex(4)}.staged"


def sync_directory(directory: Path) -> None:
    """Make a rename in this directory survive a power cut."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _link(staged: Path, path: Path) -> None:
    """Give a whole file its name unless the name is taken; where there are no hard links, write it under the name."""
    try:
        os.link(staged, path)
    except OSError as error:
        if error.errno not in (errno.ENOTSUP, errno.EPERM, errno.ENOSYS, errno.EMLINK):
            raise
        with path.open("xb") as file:
            file.write(staged.read_bytes())
            file.flush()
            os.fsync(file.fileno())


def _stage(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.parent / staged_name(path.name)
    try:
        with staged.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        staged.unlink(missing_ok=True)
        raise
    return staged
