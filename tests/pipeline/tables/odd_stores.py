"""File systems that fail, count, or show files before they are whole: registered with fsspec, found by their URL."""

import errno
import os
from collections import Counter
from typing import ClassVar

import fsspec
from fsspec.implementations.dirfs import DirFileSystem
from fsspec.implementations.memory import MemoryFileSystem


class FlakyFileSystem(MemoryFileSystem):
    """`faltering://`: every third read, write and listing fails; every other write that fails has happened."""

    protocol = "faltering"
    calls: ClassVar[Counter] = Counter()
    failed: ClassVar[Counter] = Counter()

    @classmethod
    def _fails(cls, kind: str) -> bool:
        cls.calls[kind] += 1
        cls.failed[kind] += cls.calls[kind] % 3 == 0
        return cls.calls[kind] % 3 == 0

    @staticmethod
    def _error() -> OSError:
        return OSError(errno.EIO, os.strerror(errno.EIO))

    def cat_file(self, *args, **kwargs):
        if self._fails("read"):
            raise self._error()
        return super().cat_file(*args, **kwargs)

    def open(self, path, mode="rb", **kwargs):
        if "r" in mode and self._fails("read"):
            raise self._error()
        return super().open(path, mode, **kwargs)

    def get_file(self, *args, **kwargs):
        if self._fails("read"):
            raise self._error()
        return super().get_file(*args, **kwargs)

    def pipe_file(self, *args, **kwargs):
        fails = self._fails("write")
        if not fails or self.failed["write"] % 2:
            super().pipe_file(*args, **kwargs)
        if fails:
            raise ConnectionResetError("the answer was lost")

    def rm_file(self, path):
        if self._fails("write"):
            raise self._error()
        super().rm_file(path)

    def ls(self, *args, **kwargs):
        if self._fails("list"):
            raise self._error()
        return super().ls(*args, **kwargs)


class CountingFileSystem(MemoryFileSystem):
    """`counting://`: counts what would be requests to a store."""

    protocol = "counting"
    requests: ClassVar[Counter] = Counter()

    def cat_file(self, *args, **kwargs):
        self.requests["read"] += 1
        return super().cat_file(*args, **kwargs)

    def pipe_file(self, *args, **kwargs):
        self.requests["write"] += 1
        super().pipe_file(*args, **kwargs)

    def rm_file(self, path):
        self.requests["delete"] += 1
        super().rm_file(path)

    def ls(self, *args, **kwargs):
        self.requests["list"] += 1
        return super().ls(*args, **kwargs)

    def info(self, *args, **kwargs):
        self.requests["look"] += 1
        return super().info(*args, **kwargs)


class PlainFileSystem(DirFileSystem):
    """`plain://`: a store of no known kind: no conditional create, and a file is seen while it is written."""

    protocol = "plain"
    cachable = False

    def __init__(self, **kwargs):
        super().__init__(path="/plain", fs=MemoryFileSystem(), **kwargs)

    def put_file(self, lpath, rpath, **kwargs):
        self.before_whole(lpath, rpath)
        super().put_file(lpath, rpath, **kwargs)

    @staticmethod
    def before_whole(lpath, rpath):
        """For tests to break in."""


for kind in (FlakyFileSystem, CountingFileSystem, PlainFileSystem):
    fsspec.register_implementation(kind.protocol, kind, clobber=True)
