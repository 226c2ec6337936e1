"""A training whose driver is killed when it comes to write a file: `python -m tests.faults.trained_job FILE OUT MARKS`.

FILE is the end of a name, as card.json; `never` kills nothing, and MARKS/die-7 kills before step 7.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "pipeline/engine"))

from training import train

from jobs import __main__ as command_line
from jobs.flags import say
from pipeline.engine.local_pool import LocalPool
from pipeline.engine.run import RunOptions, run
from pipeline.tables import store


def main(argv: Sequence[str]) -> int:
    """The verb `train`: OUT MARKS."""
    summary = run(train(*argv), LocalPool(), RunOptions(), say)
    return summary.exit_code if summary else 0


def kill_before(file: str) -> None:
    write = store.write_atomic

    def dying(url: str, content: bytes) -> None:
        if url.endswith(file):
            os.kill(os.getpid(), signal.SIGKILL)
        write(url, content)

    store.write_atomic = dying


if __name__ == "__main__":
    sys.modules["jobs.train"] = sys.modules[__name__]
    command_line.VERBS["train"] = "a toy"
    kill_before(sys.argv[1])
    command_line.end(command_line.main(["train", *sys.argv[2:]]))
