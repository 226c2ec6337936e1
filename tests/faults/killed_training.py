"""A training whose driver is killed when it comes to its third write: `python -m tests.faults.killed_training WORDS`.

It keeps a checkpoint at every point of its curve.
"""

from __future__ import annotations

import os
import signal
import sys

from jobs import __main__ as command_line
from pipeline.stages import train
from pipeline.tables import store

WRITES = 3
"""Of checkpoints: the last of these is begun and not written."""

if __name__ == "__main__":
    train.KEPT_SECONDS = 0.0
    write, left = store.write_atomic, WRITES

    def dying(url: str, content: bytes) -> None:
        global left  # noqa: PLW0603
        left -= url.endswith(".checkpoint")
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        write(url, content)

    store.write_atomic = dying
    command_line.end(command_line.main(sys.argv[1:]))
