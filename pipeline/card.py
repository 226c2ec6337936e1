"""The card of an artifact: what it is, what it was made of, how good it is, and whose it is. JSON, nothing else."""

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.errors import ModelFileError

VERSION = 1
REMEDY = "train it again, or fetch it again from its source"


class FileRecord(BaseModel):
    """A file of an artifact."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bytes: int = Field(ge=0)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class TrainedCodes(BaseModel):
    """The latents that it was trained on: their space, and their L2 norms (of w+ over all rows of a code)."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    space: Literal["z", "w", "w+", "s"]
    norm_mean: float
    norm_min: float
    norm_max: float


class InputTable(BaseModel):
    """A table of latents or labels that it was made from. seed, classifiers: by which its faces were sampled, and the
    family that scored them, where the table says so.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    digest: str
    seed: int | None = None
    classifiers: str | None = None


class Card(BaseModel):
    """`card.json`. `files` are the other files of the artifact; publishing it fills them in."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    artifact: Literal[1] = 1
    """Version of this form."""
    what: str = Field(min_length=1)
    """The method, as its command is called."""
    inputs: dict[str, str] = {}
    """Digest of each table and network that it was made from, by name."""
    tables: dict[str, tuple[InputTable, ...]] = {}
    """The tables, as `latents` and `labels`; none on a card of before they were kept."""
    settings: dict[str, Any] = {}
    """The flags of the method, by name, each with its value; none on a card of before they were kept."""
    generator: str | None = None
    generator_fingerprint: str | None = None
    codes: TrainedCodes | None = None
    attributes: tuple[str, ...] = ()
    metrics: dict[str, float] = {}
    meanings: dict[str, str] = {}
    """What the last word of each metric's name, and each number of the curve, means."""
    licences: dict[str, str] = {}
    """Licence of each of the weights that it was trained with, by name."""
    citation: str = ""
    command: str = ""
    files: dict[str, FileRecord] = {}

    def encode(self) -> bytes:
        """As it is written: equal cards are equal bytes."""
        return (self.model_dump_json(indent=1) + "\n").encode()

    def encode_content(self) -> bytes:
        """Without what may differ where the same was made: the command and the flags, and where the tables were."""
        same = self.model_copy(update={"command": ""})
        return (same.model_dump_json(indent=1, exclude={"tables", "settings"}) + "\n").encode()

    def with_files(self, files: Mapping[str, FileRecord]) -> "Card":
        return self.model_copy(update={"files": dict(sorted(files.items()))})

    @classmethod
    def parse(cls, content: bytes, url: str) -> "Card":
        """The card in a file's bytes. Raises ModelFileError, naming `url`, where it is none or of another version."""
        version = _version(content)
        if version not in (None, VERSION):
            raise ModelFileError(
                f"{url} is a card of version {version}, this stylemill reads version {VERSION}: make the artifact "
                "anew, or install the stylemill that made it"
            )
        try:
            return cls.model_validate_json(content)
        except ValidationError as error:
            first: Mapping[str, Any] = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            why = f"{where}: {first['msg']}" if where else first["msg"]
            raise ModelFileError(f"{url} is not the card of an artifact ({why}): {REMEDY}") from error


def parts_of_metric(name: str) -> tuple[str, str, str] | None:
    """Subject, attribute (which may have dots) and figure of a metric's name, `classifier.smile.f1`; None of another
    form."""
    subject, _, rest = name.partition(".")
    attribute, _, what = rest.rpartition(".")
    return (subject, attribute, what) if subject and attribute and what else None


def _version(content: bytes) -> int | None:
    """Of the form of a card; None where it does not say."""
    with suppress(ValueError):
        there = json.loads(content)
        if isinstance(there, dict) and isinstance(there.get("artifact"), int):
            return int(there["artifact"])
    return None
