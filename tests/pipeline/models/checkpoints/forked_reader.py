"""Reads each file of a folder in a process of its own, forked from one that has imported everything.

    python -m tests.pipeline.models.checkpoints.forked_reader FOLDER

A line of JSON for each file: its name, what became of it, the message, how much memory and time it took, and what it
did that no reader does (by Python's audit events).
"""

import json
import os
import resource
import signal
import sys
import time
from pathlib import Path

import torch

from pipeline.errors import ModelFileError
from pipeline.models.checkpoints import reading
from tests.pipeline.models.checkpoints import made

SECONDS = 20
FORBIDDEN = (
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "subprocess.Popen",
    "socket.connect",
    "pickle.find_class",
)


def read(path: Path, out: int) -> None:
    """In the forked process."""
    done: list[str] = []

    def audit(event, arguments):
        if event in FORBIDDEN or (
            event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
        ):
            done.append(event)

    data = path.read_bytes()
    size = Path("/proc/self/statm").read_text().split()
    limit = int(size[0]) * resource.getpagesize() + 16 * len(data) + 2**28
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    signal.alarm(30 * SECONDS)  # of a busy machine
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    sys.addaudithook(audit)
    try:
        found = reading.read(data, path.name)
        what, said = "read", found.form
    except ModelFileError as error:
        what, said = "refused", str(error)
    except BaseException as error:
        what, said = "failed", f"{type(error).__name__}: {error}"
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    facts = {
        "name": path.name, "what": what, "said": said, "bytes": len(data), "grown": grown,
        "seconds": time.monotonic() - started, "did": done,
    }  # fmt: skip
    os.write(out, (json.dumps(facts) + "\n").encode())


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    for make in (made.nvidia, made.tensorflow, made.rosinality, made.encoder, made.genforce):
        reading.read(make(), "warm.up")  # so that what is imported late is imported now
    for path in sorted(folder.iterdir()):
        child = os.fork()
        if child == 0:
            read(path, sys.stdout.fileno())
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status:
            print(json.dumps({"name": path.name, "what": "died", "said": f"status {status}"}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
