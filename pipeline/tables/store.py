"""Files anywhere: a local path, or any fsspec URL (`s3://bucket/x`, `memory://x`, `file:///x`).

The few operations that tables and the engine need, each whole or not at all. Every one raises
`pipeline.errors.StoreError`, in one line that names the URL and what to do, where storage fails.
"""

import errno
import json
import os
import secrets
from pathlib import Path
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem

from pipeline.errors import SpecError, StoreError
from pipeline.tables.store_errors import store_errors


def resolve(url: str) -> tuple[AbstractFileSystem, str]:
    """The file system of a URL and the path in it. Raises SpecError for a protocol that fsspec does not know."""
    if "://" not in url:
        return LocalFileSystem(), LocalFileSystem._strip_protocol(url)
    try:
        with store_errors("open", url):
            fs, path = url_to_fs(url)
    except ValueError as error:
        raise SpecError(f"{url}: {error}; name a local path, s3://bucket/..., or another fsspec URL") from error
    fs.invalidate_cache()  # listings kept from before would hide what other workers have published
    return fs, path


def local_path(url: str) -> Path | None:
    """The path, absolute, if the URL is on this machine's file system; else None."""
    fs, path = resolve(url)
    return Path(path) if isinstance(fs, LocalFileSystem) else None


def join(url: str, *names: str) -> str:
    """`join("s3://bucket/x/", "latents", "a.json")` is `s3://bucket/x/latents/a.json`; local paths stay as they are."""
    for name in names:
        url = url + name if url.endswith("/") else f"{url}/{name}"
    return url


def make_directory(url: str) -> None:
    """Make a local directory and its parents. Object stores have no directories: nothing is done there."""
    if (path := local_path(url)) is not None:
        with store_errors("make", url):
            path.mkdir(parents=True, exist_ok=True)


def read_bytes(url: str) -> bytes | None:
    """The whole file, or None where there is none."""
    fs, path = resolve(url)
    with store_errors("read", url):
        try:
            return bytes(fs.cat_file(path))
        except FileNotFoundError:
            return None


def read_json(url: str) -> Any | None:
    """The JSON value of a file, or None where there is no file. Raises StoreError where it is not JSON."""
    content = read_bytes(url)
    if content is None:
        return None
    try:
        return json.loads(content)
    except ValueError as error:
        raise StoreError(f"{url} is not JSON ({error}): damaged; restore it, or start in an empty place") from error


def canonical_json(value: Any) -> bytes:
    """UTF-8 JSON with sorted keys, no spaces and no NaN: equal values give equal bytes."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def write_atomic(url: str, content: bytes) -> None:
    """Make the file or replace it, whole: a reader sees the old bytes or the new, also after a crash."""
    fs, path = resolve(url)
    with store_errors("write", url):
        if not isinstance(fs, LocalFileSystem):
            fs.pipe_file(path, content)
            return
        staged = _stage(Path(path), content)
        try:
            staged.replace(path)
        except OSError:
            staged.unlink(missing_ok=True)
            raise
        sync_directory(Path(path).parent)


def create_exclusive(url: str, content: bytes) -> bool:
    """Make the file, whole, unless it exists: True for the one caller who made it, False for all others."""
    fs, path = resolve(url)
    with store_errors("create", url):
        if not isinstance(fs, LocalFileSystem):
            try:
                fs.pipe_file(path, content, mode="create")
            except FileExistsError:
                return False
            return True
        staged = _stage(Path(path), content)
        try:
            _link(staged, Path(path))
        except FileExistsError:
            return False
        finally:
            staged.unlink(missing_ok=True)
        sync_directory(Path(path).parent)
        return True


def list_names(url: str) -> dict[str, int]:
    """Name -> bytes of each file directly in a directory, dot files too, from one listing; {} where there is none."""
    fs, path = resolve(url)
    with store_errors("list", url):
        try:
            entries = fs.ls(path, detail=True)
        except FileNotFoundError:
            return {}
    here = path.rstrip("/")
    return {
        entry["name"].rsplit("/", 1)[-1]: int(entry["size"])
        for entry in entries
        if entry["type"] == "file" and entry["name"].rstrip("/") != here
    }


def list_directories(url: str) -> list[str]:
    """Names of the directories directly in a directory, in order; [] where there is none."""
    fs, path = resolve(url)
    with store_errors("list", url):
        try:
            entries = fs.ls(path, detail=True)
        except (FileNotFoundError, NotADirectoryError):
            return []
    return sorted(entry["name"].rstrip("/").rsplit("/", 1)[-1] for entry in entries if entry["type"] == "directory")


def exists(url: str) -> bool:
    """Whether there is a file or directory."""
    fs, path = resolve(url)
    with store_errors("look at", url):
        return bool(fs.exists(path))


def delete(url: str) -> None:
    """Delete one file; nothing happens where there is none."""
    fs, path = resolve(url)
    with store_errors("delete", url):
        try:
            fs.rm_file(path)
        except FileNotFoundError:
            return


def staged_name(name: str) -> str:
    """A fresh name for a file on its way to be `name`: hidden, and of no kind that a reader opens."""
    return f".{name}.{os.getpid()}-{secrets.token_hex(4)}.staged"


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


def sync_directory(directory: Path) -> None:
    """Make a rename in this directory survive a power cut."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


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
