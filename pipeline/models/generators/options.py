"""Options of a checkpoint, read one by one: a missing, unsupported or impossible one is an error that names it."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

from pipeline.errors import ModelFileError


class Options:
    """The options of the checkpoint that a generator is built from.

    Args:
        of: the generator's name, for errors.
        options: as in `Checkpoint`.

    Raises:
        ModelFileError: by each method, if the option is missing or is none that is supported.
    """

    def __init__(self, of: str, options: Mapping[str, Any]):
        self._of, self._options = of, options

    def whole(self, name: str, least: int = 1, most: int = 1 << 16) -> int:
        """A whole number from `least` to `most`."""
        number = self.number(name)
        if number != int(number) or not least <= number <= most:
            raise ModelFileError(f"{self._of}: {name} is {number:g}; it must be a whole number from {least} to {most}")
        return int(number)

    def whole_or(self, name: str, default: int, least: int = 1) -> int:
        """The same; `default` where the option is None."""
        return default if self.value(name) is None else self.whole(name, least)

    def number(self, name: str) -> float:
        """A finite number."""
        value = self.value(name)
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not math.isfinite(number):
            raise ModelFileError(f"{self._of}: {name} is {value!r}, which is not a number")
        return number

    def positive(self, name: str) -> float:
        """A number above 0."""
        number = self.number(name)
        if number <= 0:
            raise ModelFileError(f"{self._of}: {name} is {number:g}; it must be above 0")
        return number

    def size(self, name: str) -> int:
        """Pixels of a side: a power of two from 8 to 1024."""
        size = self.whole(name)
        if size not in (8, 16, 32, 64, 128, 256, 512, 1024):
            raise ModelFileError(f"{self._of}: {name} is {size} px; supported are powers of two from 8 to 1024")
        return size

    def one_of(self, name: str, known: Collection[Any]) -> Any:
        """One of the values that are supported."""
        value = self.value(name)
        value = list(value) if isinstance(value, tuple) else value
        if value not in known:
            choices = " or ".join(map(repr, known))
            raise ModelFileError(f"{self._of}: {name} is {value!r}; supported: {choices}")
        return value

    def value(self, name: str) -> Any:
        if name not in self._options:
            raise ModelFileError(f"{self._of}: the option {name} is missing")
        return self._options[name]
