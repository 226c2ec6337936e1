"""Where a worker runs, its package versions and code, and whether the code is the driver's."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.engine.code_digest import Code, running_code
from pipeline.engine.versions import versions
from pipeline.errors import SpecError

ALIKE = "install the same stylemill on every node, or send the job with `stylemill submit`, which uploads the code"


@dataclass(frozen=True)
class Place:
    """`worker` is "host:pid", `node` Ray's node id; `versions` are those of packages that can change bytes."""

    worker: str
    node: str
    versions: Mapping[str, str]
    code: Code


def this_place(node: str) -> Place:
    return Place(f"{socket.gethostname()}:{os.getpid()}", node, versions(), running_code())


def check_code(place: Place) -> None:
    """Raise SpecError if a worker would run other code than this driver: its rows could differ unnoticed."""
    here = running_code()
    if not isinstance(place, Place):
        raise SpecError(f"a worker runs another version of stylemill than this driver ({here}): {ALIKE}")
    there = place.code
    if there.sha256 == here.sha256:
        return
    host = place.worker.rpartition(":")[0]
    if host == socket.gethostname() and there.roots == here.roots:
        raise SpecError(
            f"the files of stylemill in {there} were changed while this driver ran (it began with sha256 "
            f"{here.sha256[:12]}): run the same command again, which continues with one code for all workers"
        )
    raise SpecError(f"the worker {place.worker} runs other code than this driver: {there} there, {here} here; {ALIKE}")
