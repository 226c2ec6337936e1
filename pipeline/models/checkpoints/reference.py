"""How a generator's file is named: a path or a URL, and behind a # what decides which generator it is.

mine.pkl     https://example.org/net.pt#sha256=0f3a...     mine.pkl#faces=aligned     animals.pkl#class=3&noise=none
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Self

from pipeline.errors import SpecError

ENDINGS = (".pkl", ".pt", ".pth", ".safetensors", ".pickle", ".ckpt")
OPTIONS = ("sha256", "class", "noise", "faces")


def is_file_name(name: str) -> bool:
    """Whether a generator is named as a file (a path, a URL, or a known ending), and not by its name."""
    path = name.partition("#")[0]
    return bool({"/", "\\", "#"} & set(name)) or PurePosixPath(path).suffix.lower() in ENDINGS


@dataclass(frozen=True)
class Reference:
    """A generator's file.

    Attributes:
        path: path or fsspec URL.
        sha256: the digest that the file must have, in hex.
        chosen: the class, of a network that makes pictures of several.
        noise: which noise the network adds, as `generators.noise.Noise.parse` takes it.
        faces: whether its owner says that it makes faces, aligned as those of FFHQ are.
    """

    path: str
    sha256: str | None = None
    chosen: int | None = None
    noise: str = "const"
    faces: bool = False

    @classmethod
    def parse(cls, text: str) -> Self:
        """Of `PATH[#OPTION=VALUE[&OPTION=VALUE...]]`. Raises SpecError where an option is not known or has no value."""
        path, _, fragment = text.partition("#")
        given: dict[str, str] = {}
        for word in fragment.split("&") if fragment else ():
            name, _, value = word.partition("=")
            if name not in OPTIONS or not value or name in given:
                raise SpecError(
                    f"--generator {text}: behind the # stand {', '.join(OPTIONS)}, each =VALUE, with & between"
                )
            given[name] = value
        digest, chosen = given.get("sha256"), given.get("class")
        if digest is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", digest):
            raise SpecError(f"--generator {path}: sha256={digest} is not a digest of 64 hexadecimal digits")
        if chosen is not None and not re.fullmatch(r"\d{1,6}", chosen):
            raise SpecError(f"--generator {path}: class={chosen} is not a number of a class, which are from 0 on")
        if given.get("faces", "aligned") != "aligned":
            raise SpecError(f"--generator {text}: faces=aligned says that it makes faces aligned as those of FFHQ are")
        number = None if chosen is None else int(chosen)
        return cls(path, digest and digest.lower(), number, given.get("noise", "const"), "faces" in given)

    @property
    def identity(self) -> str:
        """What decides which generator it is, wherever the file lies. Raises SpecError without a digest."""
        if self.sha256 is None:
            raise SpecError(f"--generator {self}: its digest is not known yet")
        return _joined({**self._options, "sha256": self.sha256})

    @property
    def _options(self) -> dict[str, object]:
        return {"class": self.chosen, "noise": None if self.noise == "const" else self.noise}

    def __str__(self) -> str:
        options = _joined({"sha256": self.sha256, **self._options, "faces": "aligned" if self.faces else None})
        return f"{self.path}#{options}" if options else self.path


def _joined(given: Mapping[str, object]) -> str:
    return "&".join(f"{name}={value}" for name, value in given.items() if value is not None)
