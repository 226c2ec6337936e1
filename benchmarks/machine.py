"""Where and how a figure was measured: the head of every committed table."""

import datetime
import importlib.metadata
import os
import platform
from pathlib import Path

PACKAGES = ("torch", "numpy", "pyarrow", "ray", "openvino")


def header(command: str, flags: str = "") -> str:
    """Markdown lines: the command, the day, the processor, the versions."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in PACKAGES)
    return (
        f"`{command} {flags}`".replace(" `", "`") + "\n\n"
        f"{datetime.datetime.now(tz=datetime.UTC).date()}, {processor()}, {os.cpu_count()} cores, "
        f"Python {platform.python_version()}, {versions}\n\n"
    )


def processor() -> str:
    """The processor's name and its widest vector instructions."""
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return platform.processor()
    lines = dict(line.split(":", 1) for line in info.read_text().splitlines() if ":" in line)
    fields = {name.strip(): value.strip() for name, value in lines.items()}
    flags = fields.get("flags", "").split()
    widest = next((flag for flag in ("avx512f", "avx2") if flag in flags), "no avx2")
    return f"{fields.get('model name', platform.processor())} ({widest})"
