"""Files anywhere: a local path, or any fsspec URL (`s3://bucket/x`, `memory://x`, `file:///x`).

The few operations that tables and the engine need, each whole or not at all. Each retries on transient
errors (`retries.py`), and raises `pipeline.errors.StoreError`, in one line that names the URL and what to do,
where storage fails all the same.

How a file comes to be, whole, and how `create_exclusive` finds one winner:

| store | a file is written by | one winner by |
| --- | --- | --- |
| a path, `file://` | a hidden name beside it, fsync, rename | a hard link, which fails where the name is taken |
| `s3://` | one PUT; from 64 MiB on a multipart upload, seen when it is complete (5 TiB at most) | `If-None-Match: *` |
| `gs://`, `abfs://` | one upload, seen when it is complete | the condition that their packages send |
| `memory://` | one assignment | a lock of this process, which is all that sees it |
| others | a hidden name beside it, then the store's own move | a claim beside it, read back after a moment |

An S3-compatible store that ignores `If-None-Match` is detected by a try on a file of our own, and treated as the others
are. A killed upload to S3 leaves invisible pieces that cost money: give the bucket a lifecycle rule that aborts
incomplete multipart uploads. The claim of the others is as good as their clocks are fast: two callers who are more than
half a second apart between looking and writing could both win.
"""

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from fsspec import AbstractFileSystem
from fsspec.asyn import AsyncFileSystem
from fsspec.core import has_magic, url_to_fs
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem

from pipeline.errors import SpecError, StoreError
from pipeline.tables import exclusive, local_files, staging
from pipeline.tables.retries import is_transient, with_retries
from pipeline.tables.s3_listing import list_s3
from pipeline.tables.store_errors import store_errors
from pipeline.urls import mistake

READS_AT_ONCE = 64
LISTINGS_AT_ONCE = 4
S3_UPLOAD = {"chunksize": 32 << 20, "max_concurrency": 4}  # at most 128 MiB in memory for each upload


def resolve(url: str) -> tuple[AbstractFileSystem, str]:
    """The file system of a URL and the path in it.

    Raises SpecError for a protocol that fsspec does not know, and for a probable mistake (`pipeline.urls`).
    """
    if why := mistake(url):
        raise SpecError(f"{_shown(url)}: {why}" if url.strip() else why)
    if "://" not in url:
        return LocalFileSystem(), LocalFileSystem._strip_protocol(url)
    try:
        with store_errors("open", url):
            fs, path = url_to_fs(url)
    except ValueError as error:
        raise SpecError(f"{url}: {error}; name a local path, s3://bucket/..., or another fsspec URL") from error
    fs.invalidate_cache()  # a cached listing would hide what other workers have published
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


def parent(url: str) -> str:
    """The directory that a directory or file is in: `s3://bucket/x` of `s3://bucket/x/latents`, `.` of a bare name."""
    folder, slash, _ = url.rstrip("/").rpartition("/")
    return folder if slash else "."


def make_directory(url: str) -> None:
    """Make a local directory and its parents. Object stores have no directories: nothing is done there."""
    if (path := local_path(url)) is not None:
        with store_errors("make", url):
            with_retries(path.mkdir, parents=True, exist_ok=True)


def read_bytes(url: str) -> bytes | None:
    """The whole file, or None where there is none."""
    fs, path = resolve(url)
    with store_errors("read", url):
        try:
            return bytes(with_retries(fs.cat_file, path))
        except FileNotFoundError:
            return None


def read_many(urls: Sequence[str]) -> list[bytes | None]:
    """The whole files, in order, None for each that is not there; at the same time where the store can."""
    found: list[bytes | None] = [None] * len(urls)
    for fs, places in _by_store(urls):
        if not isinstance(fs, AsyncFileSystem):
            for place, _ in places:
                found[place] = read_bytes(urls[place])
            continue
        options: dict[str, Any] = {"batch_size": READS_AT_ONCE}
        if _is_s3(fs):
            options["max_concurrency"] = 1  # else s3fs asks for the size of each first
        contents = fs.cat_ranges([path for _, path in places], None, None, on_error="return", **options)
        for (place, _), content in zip(places, contents, strict=True):
            if isinstance(content, FileNotFoundError):
                continue
            if isinstance(content, BaseException) and is_transient(content):
                found[place] = read_bytes(urls[place])
                continue
            with store_errors("read", urls[place]):
                if isinstance(content, BaseException):
                    raise content
            found[place] = bytes(content)
    return found


def read_json(url: str, remedy: str = "restore it, or start in an empty place") -> Any | None:
    """The JSON value of a file, or None where there is no file.

    Raises StoreError where it is empty or not JSON; `remedy` is what it says to do.
    """
    content = read_bytes(url)
    return None if content is None else _parsed(content, url, remedy)


def read_object(url: str, what: str, fields: Mapping[str, type | tuple[type, ...]], remedy: str) -> Any | None:
    """The JSON object of a file, or None where there is no file.

    Raises StoreError where it is no `what`: a field is missing or of another type; `remedy` is what it says to do.
    """
    content = read_bytes(url)
    if content is None:
        return None
    found = _parsed(content, url, remedy)
    if not isinstance(found, dict) or not all(isinstance(found.get(name), kind) for name, kind in fields.items()):
        raise StoreError(f"{url} is not {what}: damaged; {remedy}")
    return found


def canonical_json(value: Any) -> bytes:
    """UTF-8 JSON with sorted keys, no spaces and no NaN: equal values give equal bytes."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode()


def write_atomic(url: str, content: bytes) -> None:
    """Make the file or replace it, whole: a reader sees the old bytes or the new, also after a crash."""
    fs, path = resolve(url)
    with store_errors("write", url):
        if isinstance(fs, LocalFileSystem):
            with_retries(local_files.write, Path(path), content)
        else:
            _put(fs, path, lambda place: fs.pipe_file(place, content))


def put_file(source: Path, url: str) -> None:
    """Copy a file of this machine to a store that is not its file system, whole, over an older one."""
    fs, path = resolve(url)
    options = S3_UPLOAD if _is_s3(fs) else {}
    with store_errors("publish", url):
        if isinstance(fs, MemoryFileSystem):
            write_atomic(url, source.read_bytes())
        else:
            _put(fs, path, lambda place: fs.put_file(str(source), place, **options))


def move_local(staged: Path, url: str) -> None:
    """Give a whole file, safely on disk in the same directory, its name, over an older one; also after a crash."""
    with store_errors("publish", url):
        path = resolve(url)[1]
        with_retries(staged.replace, path)
        with_retries(local_files.sync_directory, staged.parent)


def create_exclusive(url: str, content: bytes) -> bool:
    """Make the file, whole, unless it exists: True for the one caller who made it, False for all others."""
    fs, path = resolve(url)
    with store_errors("create", url):
        if not isinstance(fs, LocalFileSystem):
            return exclusive.create(fs, path, content)
        return with_retries(local_files.create, Path(path), content)


def list_names(url: str) -> dict[str, int]:
    """Name -> bytes of each file directly in a directory, dot files too, from one listing; {} where there is none."""
    fs, path = resolve(url)
    with store_errors("list", url):
        try:
            if isinstance(fs, LocalFileSystem):
                return with_retries(local_files.names, path)
            if _is_s3(fs):
                return list_s3(fs, path)
            entries = with_retries(fs.ls, path, detail=True)
        except FileNotFoundError:
            return {}
    fs.invalidate_cache()  # else it keeps the entries of every table ever listed
    here = path.rstrip("/")
    return {
        entry["name"].rsplit("/", 1)[-1]: int(entry["size"])
        for entry in entries
        if entry["type"] == "file" and entry["name"].rstrip("/") != here
    }


def list_many(urls: Sequence[str]) -> list[dict[str, int]]:
    """The `list_names` of each, in order; several at the same time in S3, which answers page after page."""
    if not all(_is_s3(resolve(url)[0]) for url in urls):
        return [list_names(url) for url in urls]
    with ThreadPoolExecutor(LISTINGS_AT_ONCE, thread_name_prefix="listing") as threads:
        return list(threads.map(list_names, urls))


def list_directories(url: str) -> list[str]:
    """Names of the directories directly in a directory, in order; [] where there is none."""
    fs, path = resolve(url)
    with store_errors("list", url):
        try:
            entries = with_retries(fs.ls, path, detail=True)
        except (FileNotFoundError, NotADirectoryError):
            return []
    return sorted(entry["name"].rstrip("/").rsplit("/", 1)[-1] for entry in entries if entry["type"] == "directory")


def size(url: str) -> int | None:
    """Bytes of a file, or None where there is none."""
    fs, path = resolve(url)
    with store_errors("look at", url):
        try:
            return int(with_retries(fs.info, path)["size"] or 0)
        except FileNotFoundError:
            return None


def exists(url: str) -> bool:
    """Whether there is a file or directory."""
    fs, path = resolve(url)
    with store_errors("look at", url):
        return bool(with_retries(fs.exists, path))


def delete(url: str) -> None:
    """Delete one file; nothing happens where there is none."""
    fs, path = resolve(url)
    with store_errors("delete", url):
        _delete_one(fs, path)


def delete_many(urls: Sequence[str]) -> None:
    """Delete files, in bulk where the store can; nothing happens for those that are not there."""
    for fs, places in _by_store(urls):
        paths = [path for _, path in places]
        if not isinstance(fs, AsyncFileSystem) or any(map(has_magic, paths)):  # `rm` would take [ and ? for patterns
            for place, _ in places:
                delete(urls[place])
            continue
        with store_errors("delete", f"{len(paths)} files such as {urls[places[0][0]]}"):
            try:
                with_retries(fs.rm, paths)
            except FileNotFoundError:
                for path in paths:
                    _delete_one(fs, path)
        _check_deleted([urls[place] for place, _ in places])


@contextmanager
def local_copy(url: str) -> Iterator[Path]:
    """The file on this machine: itself, or a copy for the length of the block, fetched once to be read many times."""
    if (path := local_path(url)) is not None:
        yield path
        return
    fs, remote = resolve(url)
    copy = staging.directory() / local_files.staged_name(url.rsplit("/", 1)[-1])
    try:
        with store_errors("read", url), staging.full_disk_errors(str(copy)):
            with_retries(fs.get_file, remote, str(copy))
        yield copy
    finally:
        copy.unlink(missing_ok=True)


def _shown(url: str) -> str:
    return url.replace("\0", "\\0")


def _parsed(content: bytes, url: str, remedy: str) -> Any:
    try:
        return json.loads(content)
    except ValueError as error:
        why = f"is not JSON ({error}): damaged; " if content.strip() else "is empty: "
        raise StoreError(f"{url} {why}{remedy}") from error


def _put(fs: AbstractFileSystem, path: str, write: Callable[[str], Any]) -> None:
    """Have `write` make the file; beside its place, and moved there, where files show before they are whole."""
    if isinstance(fs, MemoryFileSystem) or exclusive.protocols(fs) & exclusive.CONDITIONAL:
        with_retries(write, path)
        return
    folder, _, name = path.rpartition("/")
    with_retries(fs.makedirs, folder, exist_ok=True)
    staged = f"{folder}/{local_files.staged_name(name)}"
    with_retries(write, staged)
    if type(fs).mv in (AbstractFileSystem.mv, AsyncFileSystem.mv):  # these look for patterns and directories first
        with_retries(fs.cp_file, staged, path)
        _delete_one(fs, staged)
    else:
        with_retries(fs.mv, staged, path)


def _by_store(urls: Sequence[str]) -> Iterable[tuple[AbstractFileSystem, list[tuple[int, str]]]]:
    """Each file system with (place in `urls`, path) of its files."""
    stores: defaultdict[AbstractFileSystem, list[tuple[int, str]]] = defaultdict(list)
    known: dict[str, AbstractFileSystem] = {}
    for place, url in enumerate(urls):
        root = url.split("://", 1)[0] if "://" in url else ""
        if root not in known:
            known[root] = resolve(url)[0]
        stores[known[root]].append((place, known[root]._strip_protocol(url)))
    return stores.items()


def _check_deleted(urls: Sequence[str]) -> None:
    """Some stores do not report what they failed to delete in bulk: list each directory once to check."""
    names: defaultdict[str, set[str]] = defaultdict(set)
    for url in urls:
        folder, _, name = url.rpartition("/")
        names[folder].add(name)
    for folder, wanted in names.items():
        if left := sorted(wanted & set(list_names(folder))):
            raise StoreError(f"cannot delete {left[0]} and {len(left) - 1} more of {folder}: check the permissions")


def _delete_one(fs: AbstractFileSystem, path: str) -> None:
    with suppress(FileNotFoundError):
        with_retries(fs.rm_file, path)


def _is_s3(fs: AbstractFileSystem) -> bool:
    return bool(exclusive.protocols(fs) & exclusive.S3)
