"""What this process may use of its machine: cores and memory, as affinity and control groups (version 1 and 2) limit
them. Containers and schedulers set those limits; the machine's own numbers do not show them.
"""

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import psutil

OWN = Path("/proc/self/cgroup")
MOUNT = Path("/sys/fs/cgroup")


def cores() -> int:
    """Processors that this process may run on at once, at least 1; of a quota of 2.5 these are 2."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return int(max(1, min([allowed, *map(_quota, _groups("cpu"))])))


def free_memory() -> int:
    """Bytes that this process and its children can still take before the machine or a control group has no more."""
    return int(max(0, min([psutil.virtual_memory().available, *map(_left, _groups("memory"))])))


def _groups(controller: str) -> Iterator[Path]:
    """Folders of the control groups that this process is in, with all that they lie in: each may have a limit.

    A container sees its own group as the root of the mount, whatever path the host has it under.
    """
    for line in _read(OWN).splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            mount = MOUNT if (MOUNT / "cgroup.controllers").exists() else MOUNT / "unified"
        elif controller in controllers.split(","):
            mount = MOUNT / controller
        else:
            continue
        parts = [part for part in PurePosixPath(path).parts if part not in ("/", "..")]
        for depth in range(len(parts), -1, -1):
            yield mount.joinpath(*parts[:depth])


def _quota(group: Path) -> float:
    """Cores' worth of time; infinity where there is no limit."""
    words = _read(group / "cpu.max").split() or [_read(group / f"cpu.cfs_{name}_us").strip() for name in V1_QUOTA]
    quota, period = (_number(word) for word in words)
    return quota / period if 0 < quota < math.inf and 0 < period < math.inf else math.inf


def _left(group: Path) -> float:
    """Bytes up to the limit, where what files have in memory counts as free; infinity where there is no limit."""
    for limit, usage, files in (
        ("memory.max", "memory.current", "inactive_file"),
        ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
    ):
        most = _number(_read(group / limit).strip())
        if most < math.inf:
            stat = dict(line.split(" ", 1) for line in _read(group / "memory.stat").splitlines())
            used = _number(_read(group / usage).strip(), 0.0)
            return most - used + _number(stat.get(files, ""), 0.0)
    return math.inf


V1_QUOTA = ("quota", "period")


def _number(word: str, otherwise: float = math.inf) -> float:
    """`max`, a word that is none and the -1 of no limit are `otherwise`."""
    return float(word) if word.isdecimal() else otherwise


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
