"""Where and how a figure was measured: the head of every committed table."""

import datetime
import importlib.metadata
import platform
import resource
import sys
from pathlib import Path

from pipeline.engine.machine import cores

PACKAGES = ("torch", "numpy", "pyarrow", "ray", "openvino")


def header(command: str, flags: str = "") -> str:
    """Markdown lines: the command, the day, the processor, the versions."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    return (
        f"`{command} {flags}`".replace(" `", "`") + "\n\n"
        f"{datetime.datetime.now(tz=datetime.UTC).date()}, {processor()}, {cores()} cores, "
        f"Python {platform.python_version()}, {versions}\n\n"
    )


def processor() -> str:
    """The processor's name and its widest vector instructions."""
    fields = _cpuinfo()
    if not fields:
        return platform.processor()
    flags = fields.get("flags", "").split()
    widest = next((flag for flag in ("avx512f", "avx2") if flag in flags), "no avx2")
    return f"{fields.get('model name', platform.processor())} ({widest})"


def bf16_instructions() -> list[str]:
    """Which instructions for bf16 the processor has."""
    from pipeline.models.backend import BF16_FLAGS  # torch is loaded by whom a benchmark means to load it

    return sorted(BF16_FLAGS.intersection(_cpuinfo().get("flags", "").split()))


def _cpuinfo() -> dict[str, str]:
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return {}
    lines = (line.split(":", 1) for line in info.read_text().splitlines() if ":" in line)
    return {name.strip(): value.strip() for name, value in lines}


def peak_memory() -> int:
    """The most memory that this process held, in bytes.

    Linux hands `ru_maxrss` down from the process that started this one; `VmHWM` begins anew.
    """
    status = Path("/proc/self/status")
    if status.exists():
        lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
