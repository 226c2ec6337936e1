"""Where an error was raised, in words that are the same on every machine: no home directory, no address."""

import traceback
from pathlib import Path, PurePath

ROOT = Path(__file__).parents[2]


def trace(error: BaseException) -> str:
    """One line a frame, the innermost last: `pipeline/stages/dataset.py:63 in _compute: ws_NLW = ...`."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [f"{_place(frame.filename)}:{frame.lineno} in {frame.name}: {frame.line}" for frame in frames]
    return "\n".join([*lines, *(line.strip() for line in traceback.format_exception_only(error))])


def _place(filename: str) -> str:
    path = PurePath(filename)
    if path.is_relative_to(ROOT):
        return path.relative_to(ROOT).as_posix()
    for marker in ("site-packages", "dist-packages"):
        if marker in path.parts:
            return PurePath(*path.parts[path.parts.index(marker) + 1 :]).as_posix()
    return path.name
