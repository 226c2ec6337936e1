"""The YAML file that describes a classifier of one's own: where its weights are, what it looks at, what it says.

    weights: beard-resnet18.pth     # a path from this file, or a URL
    size: 224
    attributes:
      beard: {meaning: The face has a beard., classes: 1, unit: 2.4}

docs/own-classifiers.md explains each key.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from pipeline.errors import SpecError
from pipeline.models.classifiers.attributes import LIST, MEASURES
from pipeline.models.classifiers.crops import IMAGENET_MEAN, IMAGENET_STD
from pipeline.models.classifiers.own_name import beside

MOST_BYTES = 100_000
NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
OTHERS = {alias: one.name for one in LIST for alias in one.aliases}
"""Names that already mean one of our attributes, or its other side."""


def _several(value: Any) -> Any:
    """A list of what may be written as one value, or in one text with commas between."""
    if isinstance(value, str):
        return [word.strip() for word in value.split(",")]
    return value if isinstance(value, list | tuple) else [value]


Logits = Annotated[tuple[Annotated[int, Field(ge=0)], ...], BeforeValidator(_several)]
Numbers = Annotated[tuple[float, ...], BeforeValidator(_several), Field(min_length=1, max_length=3)]
Words = Annotated[tuple[str, ...], BeforeValidator(_several)]


class _Keys(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class OwnAttribute(_Keys):
    """How an attribute is told from the logits.

    classes: those of a softmax that have it; the statistic is log p(these) - log p(against, or all others). logit: in
    their place the one logit that rises with it, `negated` where it falls. boundary: of the statistic, where the score
    is 0. unit: its standard deviation over calibration faces; None where a calibration says.
    """

    meaning: str = ""
    classes: Logits = ()
    against: Logits = ()
    logit: int | None = Field(None, ge=0)
    negated: bool = False
    boundary: float = 0.0
    unit: float | None = Field(None, gt=0)

    @model_validator(mode="after")
    def _one_of_two(self) -> OwnAttribute:
        if bool(self.classes) == (self.logit is not None):
            raise ValueError("give `logit`, the one that rises with it, or `classes`, those of a softmax that have it")
        if (self.against and not self.classes) or set(self.against) & set(self.classes):
            raise ValueError("`against` names classes beside `classes`, and others than these")
        if self.negated and self.logit is None:
            raise ValueError("`negated` goes with `logit`; of a softmax, name the other classes")
        return self


class OwnFile(_Keys):
    """All of a file. size: (height, width) in pixels. crop: left, top, right, bottom, fractions of the picture. range:
    the value of white; then mean and std are taken. output: which tensor of a graph. features: of a linear head.
    """

    weights: str = Field(min_length=1)
    sha256: str | None = Field(None, pattern="^[0-9a-fA-F]{64}$")
    joins: str | None = None
    features: Words = ()
    size: Annotated[tuple[int, ...], BeforeValidator(_several), Field(min_length=1, max_length=2)] = (224, 224)
    crop: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    mean: Numbers = IMAGENET_MEAN
    std: Numbers = IMAGENET_STD
    channels: Literal["rgb", "bgr", "grey"] = "rgb"
    range: float = Field(1.0, gt=0)
    output: str | None = None
    attributes: dict[str, OwnAttribute] = Field(min_length=1)

    @field_validator("size")
    @classmethod
    def _in_pixels(cls, size: tuple[int, ...]) -> tuple[int, ...]:
        if not all(8 <= side <= 1024 for side in size):
            raise ValueError("give 8 to 1024 pixels")
        return size * 2 if len(size) == 1 else size

    @field_validator("crop")
    @classmethod
    def _is_a_box(cls, crop: tuple[float, ...]) -> tuple[float, ...]:
        left, top, right, bottom = crop
        if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
            raise ValueError("give left, top, right and bottom as fractions of the picture, from 0 to 1")
        return crop

    @field_validator("attributes")
    @classmethod
    def _are_names(cls, attributes: dict[str, OwnAttribute]) -> dict[str, OwnAttribute]:
        if why := next(filter(None, map(why_not_a_name, attributes)), None):
            raise ValueError(why)
        return attributes

    @model_validator(mode="after")
    def _go_together(self) -> OwnFile:
        channels = 1 if self.channels == "grey" else 3
        for key in ("mean", "std"):
            given = key in self.model_fields_set
            if given and len(getattr(self, key)) not in (1, channels):
                raise ValueError(f"`{key}` has {len(getattr(self, key))} numbers: give one, or {channels}")
            if not given and channels == 1:
                raise ValueError(f"`channels: grey` needs its own `{key}`, one number")
        if min(self.std) <= 0:
            raise ValueError("`std` is above 0")
        unused = {"size", "crop", "mean", "std", "channels", "range", "output"} & self.model_fields_set
        if self.features and unused:
            raise ValueError(f"`features` say what is looked at: leave out `{min(unused)}`")
        return self

    def place(self, own: str) -> str:
        """Path or URL of the weights, of a file that lies at `own`."""
        return beside(own, self.weights)


def why_not_a_name(name: str) -> str | None:
    """Why an attribute of one's own cannot have this name; None where it can."""
    if not NAME.fullmatch(name) or name in ("index", *MEASURES) or name.startswith("judge_"):
        return f"{name!r} cannot be a column: small letters, digits and _, as in long_hair"
    return f"{name!r} is another name of {OTHERS[name]}: choose another" if name in OTHERS else None


def read(name: str) -> OwnFile:
    """The file at a path or URL.

    Raises:
        SpecError: there is no such file, it is no such YAML, or a value in it is not valid.
    """
    try:
        return OwnFile.model_validate(_parsed(name, _content(name)))
    except ValidationError as error:
        raise SpecError(f"{name}: {_one_line(error)}") from error


def _content(name: str) -> bytes:
    import fsspec

    try:
        store, inner = fsspec.core.url_to_fs(name)
        with store.open(inner, "rb") as file:
            content: bytes = file.read(MOST_BYTES + 1)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise SpecError(f"{name}: there is no such file of a classifier; docs/own-classifiers.md has one") from error
    except Exception as error:  # every store has its own errors
        raise SpecError(f"{name}: cannot be read: {type(error).__name__}: {error}") from error
    if len(content) > MOST_BYTES:
        raise SpecError(f"{name} has more than {MOST_BYTES:,} bytes: it is no YAML file of a classifier")
    return content


def _parsed(name: str, content: bytes) -> Mapping[str, Any]:
    from ruamel.yaml import YAML, YAMLError

    try:
        found = YAML(typ="safe", pure=True).load(content.decode("utf-8-sig"))
    except (YAMLError, UnicodeDecodeError, RecursionError, ValueError) as error:
        reason = getattr(error, "problem", None) or str(error)
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark else ""
        raise SpecError(f"{name}{line} is not YAML: {' '.join(reason.split())}") from error
    if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
        raise SpecError(f"{name} must hold `key: value` lines: `weights` and `attributes` at least")
    return found


def _one_line(error: ValidationError) -> str:
    problems = []
    for problem in error.errors():
        where = ".".join(str(part) for part in problem["loc"])
        message = problem["msg"].removeprefix("Value error, ")
        known = f"; known are {', '.join(OwnFile.model_fields)}" if problem["type"] == "extra_forbidden" else ""
        problems.append(f"{where}: {message[0].lower()}{message[1:]}{known}" if where else message)
    return "; ".join(problems)
