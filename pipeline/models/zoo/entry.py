"""What a catalogue entry is: where a network comes from, what its bytes must be, and what may be done with it."""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Literal

Registry = Literal["pypi", "npm"]

# Raised by hand when a reader's converted output changes: an old cache entry is then converted anew, and every
# fingerprint that stands on it changes.
CONVERTERS: dict[str, int] = {"mobilestylegan": 1, "tfjs": 1, "onnx": 1, "pth": 1, "kept": 1}


@dataclass(frozen=True)
class Source:
    """One release of a package. `sha256` and `bytes` of the whole archive are for information: members are verified."""

    registry: Registry
    package: str
    version: str
    bytes: int
    sha256: str

    def __str__(self) -> str:
        return f"{'PyPI' if self.registry == 'pypi' else 'npm'} {self.package} {self.version}"


@dataclass(frozen=True)
class Entry:
    """One network of the catalogue.

    `members` maps file names under the package's `folder` to their sha256. `options` go to the reader: `outputs` maps
    our output names to tensors of the file's graph, `input_hw` fixes the height and width of its input.
    `non_commercial` says why use is restricted; empty where neither the package nor its training data gives a reason.
    """

    name: str
    what: str
    source: Source
    folder: str
    members: dict[str, str]
    format: str
    licence: str
    citation: str
    non_commercial: str = ""
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def terms(self) -> dict[str, str]:
        """What it is, where it comes from and what may be done with it, as jobs that use it keep it on record."""
        return {
            "name": self.name,
            "what": self.what,
            "source": str(self.source),
            "licence": self.licence,
            "citation": self.citation,
            "noncommercial": self.non_commercial,
        }

    @property
    def digest(self) -> str:
        """sha256 over the members' digests, the format, its converter's version and the reader's options.

        It does not depend on the machine or on the versions of torch, and stands for the network in fingerprints.
        """
        facts: dict[str, Any] = {
            "members": sorted(self.members.values()),
            "format": self.format,
            "converter": CONVERTERS[self.format],
            "options": self.options,
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
