"""Errors of the system, an object store or a Parquet reader, as one line with what to do."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import pyarrow as pa

from pipeline.errors import StoreError, StylemillError

AGAIN = "then run the same command again"

_BY_NUMBER = {
    errno.ENOSPC: f"the disk is full: free some space, {AGAIN}",
    errno.EDQUOT: f"the disk quota is used up: free some space, {AGAIN}",
    errno.EFBIG: f"the file is larger than this disk or process may write: ask for fewer rows per shard, or lift the "
    f"limit (ulimit -f), {AGAIN}",
    errno.EROFS: "the file system is read-only: name another place",
    errno.EACCES: "permission denied: change its permissions or name another place",
    errno.EPERM: "permission denied: change its permissions or name another place",
    errno.ENOTDIR: "a part of this path is a file, not a directory: name another place",
    errno.EEXIST: "a file is where a directory should be: name another place",
    errno.ENAMETOOLONG: "the path is too long: name a shorter one",
    errno.EIO: f"the disk reports an input/output error: check it, {AGAIN}",
}

_REMOTE_LIBRARIES = ("botocore", "aiobotocore", "s3fs", "gcsfs", "google", "adlfs", "azure", "aiohttp", "fsspec")


@contextmanager
def store_errors(doing: str, url: str) -> Iterator[None]:
    """Turn what storage raises inside the block into a StoreError: "cannot `doing` `url`: why: what to do".

    Errors of other kinds, defects of ours among them, pass through.
    """
    try:
        yield
    except StylemillError:
        raise
    except Exception as error:
        why = explain(error)
        if why is None:
            raise
        raise StoreError(f"cannot {doing} {url}: {why}") from error


def explain(error: Exception) -> str | None:
    """Why, and what to do, in one line; None if it is not an error of storage."""
    if isinstance(error, MemoryError):  # Arrow's own too
        return f"there is not enough memory for it: free some, or use a machine with more, {AGAIN}"
    if isinstance(error, pa.ArrowException):
        return f"damaged, or not Parquet ({one_line(error)})"
    if isinstance(error, OSError):
        return _explain_os_error(error)
    if isinstance(error, ImportError) and "install" in str(error).lower():
        return (
            f"{one_line(error)} (for s3://: pip install 'stylemill[s3]')" if "s3fs" in str(error) else one_line(error)
        )
    return _explain_remote(error) if type(error).__module__.split(".")[0] in _REMOTE_LIBRARIES else None


def _explain_remote(error: Exception) -> str:
    if "Credentials" in type(error).__name__:
        return f"no credentials for the store ({one_line(error)}): set them, {AGAIN}"
    return f"the store says {one_line(error)}: check it, {AGAIN}"


def _explain_os_error(error: OSError) -> str:
    if error.errno in _BY_NUMBER:
        return _BY_NUMBER[error.errno]
    if isinstance(error, PermissionError):
        return f"permission denied ({one_line(error)}): check the credentials, {AGAIN}"
    if isinstance(error, FileNotFoundError):
        return f"not there ({one_line(error)}): check the path or bucket"
    return one_line(error)


def one_line(error: BaseException) -> str:
    """Its message without line breaks, cut at 300 characters; its type if it has none."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else text[:297] + "..."
