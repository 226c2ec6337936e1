"""What no reader may run."""

from pathlib import Path


class Trap:
    """A pickle of it writes a file where it is read."""

    def __init__(self, where: Path) -> None:
        self.where = where

    def __reduce__(self):
        return Path.write_text, (self.where, "written")
