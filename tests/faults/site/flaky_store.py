"""`flaky://`: a store of a package of its own, as fsspec finds any, that fails when it is told to.

It keeps its files in a local directory, but is no local file system to those who use it. Orders are files in the
directory that FLAKY_ORDERS names:

    every-third   every third write of a process fails; by turns before it is done and after (the answer was lost)
    full          no write succeeds: the disk behind the store is full
    block-NAME    a write of a path that contains NAME waits until the file is gone (`/` in NAME is `+` in the order)

`failed-PID-NUMBER` is left for each failed write, `blocked-PID` by a process that waits.
"""

import errno
import itertools
import os
import time
from pathlib import Path

from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.local import LocalFileSystem

POLL_SECONDS = 0.005


class FlakyFileSystem(DirFileSystem):
    protocol = "flaky"
    writes, failures = itertools.count(1), itertools.count(1)

    def __init__(self, **options):
        super().__init__(path="/", fs=LocalFileSystem(auto_mkdir=True), **options)
        self.path = ""  # paths are those of the machine, none is put before them

    @classmethod
    def _strip_protocol(cls, path):
        if isinstance(path, list):
            return [cls._strip_protocol(each) for each in path]
        return "/" + str(path).removeprefix("flaky://").strip("/")

    def pipe_file(self, path, value, mode="overwrite", **options):
        return _write(path, lambda: super(FlakyFileSystem, self).pipe_file(path, value, mode=mode, **options))

    def put_file(self, lpath, rpath, **options):
        return _write(rpath, lambda: super(FlakyFileSystem, self).put_file(lpath, rpath, **options))

    def mv(self, path1, path2, **options):
        return _write(path2, lambda: super(FlakyFileSystem, self).mv(path1, path2, **options))

    def mv_file(self, path1, path2, **options):
        return _write(path2, lambda: super(FlakyFileSystem, self).mv_file(path1, path2, **options))


def _write(path, do):
    orders = Path(os.environ["FLAKY_ORDERS"])
    _wait(orders, str(path))
    if (orders / "full").exists():
        _leave(orders)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    number = next(FlakyFileSystem.writes)
    if not (orders / "every-third").exists() or number % 3:
        return do()
    if number % 2:
        do()
    _leave(orders)
    raise ConnectionResetError(errno.ECONNRESET, "Connection reset by the store")


def _leave(orders):
    (orders / f"failed-{os.getpid()}-{next(FlakyFileSystem.failures)}").touch()


def _wait(orders, path):
    while any(order.name.removeprefix("block-").replace("+", "/") in path for order in orders.glob("block-*")):
        (orders / f"blocked-{os.getpid()}").touch()
        time.sleep(POLL_SECONDS)
