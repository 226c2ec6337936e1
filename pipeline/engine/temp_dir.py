"""Where a cluster that is started here keeps its sockets and logs, looked at before it is started.

Ray itself fails with a traceback where the path is too long for a socket, and after 36 seconds where the disk is full.
"""

import os
import sys
import tempfile
from pathlib import Path

from pipeline.errors import SpecError

SOCKET_BYTES = 103 if sys.platform == "darwin" else 107
"""The longest path that the kernel takes for a socket."""

LONGEST_SOCKET = "session_2026-01-01_00-00-00_000000_{pid}/sockets/plasma_store"
ROOM_BYTES = 2**20
"""Ray writes 130 kB while it starts."""


def ray_temp_dir() -> str:
    """The directory, which is there, can be written to and has some room.

    Raises:
        SpecError: it is not so; the message names the variable from which the directory comes.
    """
    names = ("RAY_TMPDIR", "TMPDIR") if sys.platform == "linux" else ("RAY_TMPDIR",)
    name = next((name for name in names if os.environ.get(name)), None)
    given = os.environ[name] if name else "/tmp"
    place = Path(given).absolute() / "ray"
    said = f"{name}={given}" if name else given
    advice = "set RAY_TMPDIR to a directory with a short path and some room, or pass --local to do without Ray"
    socket = len(os.fsencode(place / LONGEST_SOCKET.format(pid=os.getpid())))
    if socket > SOCKET_BYTES:
        raise SpecError(
            f"{said} is too long for Ray, whose sockets lie below it: their paths would have {socket} bytes, "
            f"{SOCKET_BYTES} is the most; {advice}"
        )
    try:
        place.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=place, buffering=0) as probe:
            left = ROOM_BYTES
            while left:
                left -= probe.write(bytes(left))
            os.fsync(probe.fileno())
    except OSError as error:
        raise SpecError(f"Ray cannot keep its files below {said}: {error.strerror}; {advice}") from error
    return str(place)
