"""Flags from a spec: a frozen, validated model whose fields are the flags and the keys of a YAML file."""

import dataclasses
import keyword
import re
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import tyro
import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.fields import FieldInfo

from pipeline.errors import SpecError

SpecT = TypeVar("SpecT", bound=BaseModel)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


Names = Annotated[
    tuple[str, ...],
    tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar="A,B,...",
        instance_from_str=lambda words: _words(words[0]),
        is_instance=lambda value: isinstance(value, tuple),
        str_from_instance=lambda value: [",".join(value)],
    ),
]
"""Names with commas between them."""


class Spec(BaseModel):
    """What one run of a verb was asked to do. The docstring of a subclass is its help text."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def parse(kind: type[SpecT], verb: str, argv: Sequence[str]) -> SpecT:
    """The spec that `argv` asks for: flags over the keys of `--spec FILE` over the defaults.

    Raises:
        SpecError: a value is not valid, or the file is not a spec of this verb.
        SystemExit: tyro has said what is wrong with the flags (2), or shown the help (0).
    """
    argv, file = _take_spec_file(_tied(argv))
    given = _read(Path(file), kind) if file else {}
    flags = dataclasses.make_dataclass(kind.__name__, [_flag(name, info, given) for name, info in _fields(kind)])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a YAML value of another type: the validation below names it
        parsed = tyro.cli(
            flags,
            prog=f"stylemill {verb}",
            description=kind.__doc__,
            args=argv,
            config=(tyro.conf.FlagCreatePairsOff, tyro.conf.DisallowNone),
        )
    values = {field.name: getattr(parsed, field.name) for field in dataclasses.fields(parsed)}
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        raise SpecError(_one_line(error)) from error


def flag_of(name: str) -> str:
    """The flag of a field; `from_`, which has its underscore from Python, is --from."""
    return f"--{name.rstrip('_').replace('_', '-')}"


def _tied(argv: Sequence[str]) -> list[str]:
    """With each list of numbers that begins with a minus tied to its flag: -3,-1 alone looks like a flag itself."""
    tied: list[str] = []
    for word in argv:
        if re.fullmatch(r"-[\d.][^,]*,.*", word) and tied and re.fullmatch(r"--[a-z\d-]+", tied[-1]):
            tied[-1] += f"={word}"
        else:
            tied.append(word)
    return tied


def _fields(kind: type[BaseModel]) -> list[tuple[str, FieldInfo]]:
    """Required fields first (a dataclass wants it so), then the verb's own, then those that all jobs share."""
    own = kind.__annotations__
    return sorted(kind.model_fields.items(), key=lambda item: (not item[1].is_required(), item[0] not in own))


def _flag(name: str, info: FieldInfo, given: dict[str, Any]) -> tuple[str, Any, Any]:
    markers = [mark for mark in info.metadata if type(mark).__module__.startswith("tyro")]
    markers.append(tyro.conf.arg(help=info.description or ""))
    annotation: Any = Annotated[(info.annotation, *markers)]
    if name in given:
        return name, annotation, dataclasses.field(default=given[name])
    if info.is_required():
        return name, annotation, dataclasses.field()
    return name, annotation, dataclasses.field(default=info.default)


def _take_spec_file(argv: list[str]) -> tuple[list[str], str | None]:
    for place, word in enumerate(argv):
        if word == "--spec":
            if place + 1 == len(argv):
                raise SpecError("--spec needs the path of a YAML file")
            return argv[:place] + argv[place + 2 :], argv[place + 1]
        if word.startswith("--spec="):
            return argv[:place] + argv[place + 1 :], word.removeprefix("--spec=")
    return argv, None


def _read(path: Path, kind: type[BaseModel]) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text())
    except OSError as error:
        raise SpecError(f"--spec {path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise SpecError(f"--spec {path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise SpecError(f"--spec {path} must hold 'flag: value' lines, one for each flag")
    values = {_field_of(str(key)): value for key, value in values.items()}
    if unknown := sorted(values.keys() - kind.model_fields.keys()):
        raise SpecError(f"--spec {path}: unknown key {unknown[0]!r}; known are {', '.join(kind.model_fields)}")
    words = {name: _words(value) for name, value in values.items() if isinstance(value, str) and _is_names(kind, name)}
    lists = {name: tuple(value) for name, value in values.items() if isinstance(value, list)}
    return {**values, **words, **lists}


def _field_of(key: str) -> str:
    return f"{key}_" if keyword.iskeyword(key) else key.replace("-", "_")


def _is_names(kind: type[BaseModel], name: str) -> bool:
    return kind.model_fields[name].annotation == tuple[str, ...]


def _one_line(error: ValidationError) -> str:
    problems = []
    for problem in error.errors():
        flag = flag_of(str(problem["loc"][0])) if problem["loc"] else "spec"
        message = problem["msg"].removeprefix("Value error, ")
        problems.append(f"{flag} {problem['input']}: {message[0].lower()}{message[1:]}" if problem["loc"] else message)
    return "; ".join(problems)


def say(line: str) -> None:
    """A line for the person at the terminal; standard output stays free for what was asked for."""
    print(line, file=sys.stderr, flush=True)
