"""Standard streams that cannot stop a job: a full or closed one must not change what it does.

`install` puts them in the place of Python's. A stream that is closed, full, or whose reader is gone loses the text and
keeps the error (`lost`). A character that the locale has not is written as an escape, a byte of a path as it is.
"""

import codecs
import io
import locale
import os
import select
import sys
from typing import Any, TextIO

PIECE = 4096
"""Bytes (POSIX's PIPE_BUF) that a pipe takes without waiting, where it takes any."""
STDERR_WAIT_SECONDS = 5.0
ERRORS = "stylemill-escape"


class LenientFile(io.RawIOBase):
    """A file descriptor whose writes always succeed. `lost`: why the first text was not written, if any was not.

    wait_seconds: how long to wait for a reader that does not read (a full pipe, a terminal stopped by Ctrl-S) before
        text is dropped; None waits as long as it takes.
    """

    def __init__(self, descriptor: int, wait_seconds: float | None) -> None:
        self._descriptor, self._wait_seconds, self._stuck = descriptor, wait_seconds, False
        self.lost: OSError | None = None

    def fileno(self) -> int:
        return self._descriptor

    def isatty(self) -> bool:
        return os.isatty(self._descriptor)

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        place = 0
        try:
            while place < len(view):
                self._wait()
                place += os.write(self._descriptor, view[place : place + PIECE])
        except OSError as error:
            self.lost = self.lost or error
        return len(view)

    def _wait(self) -> None:
        ready = select.poll()
        ready.register(self._descriptor, select.POLLOUT)
        seconds = 0.0 if self._stuck else self._wait_seconds
        self._stuck = not ready.poll(None if seconds is None else seconds * 1000)
        if self._stuck:
            raise TimeoutError("its reader has stopped reading")


def install() -> None:
    """From now on `sys.stdout` and `sys.stderr` are such streams.

    Descriptors 0 to 2 are open afterwards: no file that is opened later must come to stand in their place.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != descriptor:
                os.dup2(opened, descriptor)
                os.close(opened)
            os.set_inheritable(descriptor, True)
    codecs.register_error(ERRORS, _escape)
    sys.stdout = _stream(1, sys.stdout, None)
    sys.stderr = _stream(2, sys.stderr, STDERR_WAIT_SECONDS)


def lost(stream: TextIO) -> OSError | None:
    """Why text of one of these streams was lost; None where none was, or where it is another stream."""
    stream.flush()
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", buffer)  # the file itself where the stream is unbuffered
    return raw.lost if isinstance(raw, LenientFile) else None


def _stream(descriptor: int, before: TextIO | None, wait_seconds: float | None) -> TextIO:
    file = LenientFile(descriptor, wait_seconds)
    unbuffered = bool(getattr(before, "write_through", False))  # python -u, PYTHONUNBUFFERED
    buffer: Any = file if unbuffered else io.BufferedWriter(file)
    return io.TextIOWrapper(
        buffer,
        encoding=getattr(before, "encoding", None) or locale.getpreferredencoding(False),
        errors=ERRORS,
        line_buffering=descriptor == 2 or file.isatty(),
        write_through=unbuffered,
    )


def _escape(error: UnicodeError) -> tuple[str | bytes, int]:
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeError:
        return codecs.lookup_error("backslashreplace")(error)
