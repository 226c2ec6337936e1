"""Flags from a spec: a frozen, validated model whose fields are the flags and the keys of a YAML file."""

import dataclasses
import inspect
import math
import os
import re
import shutil
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, ClassVar, TypeVar, cast, get_args, get_origin

import annotated_types
import tyro
from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator
from pydantic.fields import FieldInfo

from jobs import spec_file
from jobs.places import absolute, is_place, stays_as_typed
from pipeline.errors import SpecError
from pipeline.urls import mistake

T = TypeVar("T")
SpecT = TypeVar("SpecT", bound="Spec")

NARROWEST = 40
"""Columns that a help is laid out for at least; in a few of them tyro never comes to the end of a line."""
LARGEST_INT, LARGEST_FLOAT = 2**63 - 1, 3.4e38
"""What fits the tables' integers and the networks' numbers."""
MOST_SHOWN = 10_000
METAVARS = {
    "out": "DIR",
    "latents": "TABLE,...",
    "labels": "TABLE,...",
    "directions": "TABLE,...",
    "edits": "TABLE,...",
    "artifact": "DIR",
    "calibration": "FILE",
    "codes": "FILE",
    "scores": "FILE",
    "files": "FILE...",
    "from_": "DIR",
    "range": "FIRST:STOP",
    "index": "ROW,...",
    "where": "CONDITION",
    "top": "N COLUMN",
    "generator": "NAME",
    "classifiers": "FAMILY",
    "judge": "FAMILY",
    "families": "FAMILY",
    "title": "TEXT",
    "env": "NAME[=VALUE]",
    "working_dir": "DIR",
    "submission_id": "NAME",
    "follow": "NAME",
}
"""What stands for the text of a flag in its help; elsewhere the name of the flag, in capitals."""


Names = Annotated[
    tuple[str, ...],
    tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar="A,B,...",
        instance_from_str=lambda words: spec_file.split(words[0]),
        is_instance=lambda value: isinstance(value, tuple),
        str_from_instance=lambda value: [",".join(value)],
    ),
]
"""Names with commas between them."""

NUMBERS = tyro.constructors.PrimitiveConstructorSpec(
    nargs=1,
    metavar="X,Y,...",
    instance_from_str=lambda words: tuple(words[0].split(",")),
    is_instance=lambda value: isinstance(value, tuple),
    str_from_instance=lambda value: [",".join(map(str, value))],
)
"""Of a field of numbers with commas between them; pydantic says which word is none."""


class Spec(BaseModel):
    """What one run of a verb was asked to do. The docstring of a subclass is its help text.

    Relative paths are taken from here, since workers have working directories of their own.

    VERB: what it is a run of, as `directions fit`. GROUP: flags that a class with one declares stand in a box of their
    own in the help. AS_TYPED: whether relative paths stay so.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    VERB: ClassVar[str] = ""
    GROUP: ClassVar[str | None] = None
    AS_TYPED: ClassVar[bool] = False

    @field_validator("*")
    @classmethod
    def _can_be_kept(cls, value: Any) -> Any:
        for number in value if isinstance(value, tuple) else (value,):
            if isinstance(number, int) and abs(number) > LARGEST_INT:
                raise ValueError(f"give a number up to {LARGEST_INT}")
            if isinstance(number, float) and not abs(number) <= LARGEST_FLOAT:
                raise ValueError(
                    f"give a number up to {LARGEST_FLOAT:g}" if math.isfinite(number) else "give a finite number"
                )
        return value

    @field_validator("*")
    @classmethod
    def _is_a_place(cls, value: Any, info: ValidationInfo) -> Any:
        name = str(info.field_name)
        field, urls = cls.model_fields[name], value if isinstance(value, tuple) else (value,)
        if not is_place(name, field) or urls == (None,):
            return value
        for url in urls:
            if why := mistake(url):
                raise ValueError(why)
        if cls.AS_TYPED or stays_as_typed(name, field):
            return value
        return tuple(map(absolute, urls)) if isinstance(value, tuple) else absolute(value)

    @field_validator("*")
    @classmethod
    def _has_no_empty_name(cls, value: Any) -> Any:
        if isinstance(value, tuple) and "" in value:
            raise ValueError("an empty name beside a comma (was a variable unset?)")
        return value


def parse(kind: type[SpecT], argv: Sequence[str]) -> SpecT:
    """The spec that `argv` asks for: flags over the keys of `--spec FILE` over the defaults.

    Raises:
        SpecError: a value is not valid, or the file is not a spec of this verb.
        SystemExit: tyro has said what is wrong with the flags (2), or shown the help (0).
    """
    argv, file = _take_spec_file(_tied(argv))
    given = spec_file.read(Path(file), kind) if file else {}
    parsed = command_line(_flags(kind, given), f"stylemill {kind.VERB}", argv, inspect.cleandoc(kind.__doc__ or ""))
    with one_line():
        return kind.model_validate({name: value for name, value in _values(parsed) if name in kind.model_fields})


@contextmanager
def one_line() -> Iterator[None]:
    """A spec that is not valid as a SpecError of one line, which names the flags."""
    try:
        yield
    except ValidationError as error:
        raise SpecError(_one_line(error)) from error


def command_of(spec: Spec) -> list[str]:
    """The words of the command line that asks for this, without `stylemill`; `parse` makes the same spec of them.

    What is as by default is left out.
    """
    return [*spec.VERB.split(), *flags_of(spec)]


def flags_of(spec: Spec) -> Iterator[str]:
    """Its flags, and what has no flag, as words."""
    for name, info in type(spec).model_fields.items():
        value = getattr(spec, name)
        flag = flag_of(name)
        if value == info.get_default(call_default_factory=True):
            continue
        if tyro.conf.Positional in info.metadata:
            yield from map(str, value if isinstance(value, tuple) else (value,))
        elif value is True:
            yield flag
        elif name == "top":
            yield from (flag, *value.split(" ", 1))
        elif isinstance(value, tuple) and tyro.conf.UseAppendAction in info.metadata:
            yield from (f"{flag}={one}" for one in value)
        elif isinstance(value, tuple):
            yield f"{flag}={','.join(map(str, value))}"
        else:
            yield f"{flag}={value}"


def command_line(kind: Any, prog: str, argv: Sequence[str], description: str | None = None) -> Any:
    """What tyro makes of the words. Raises SystemExit: it has said what is wrong (2), or shown the help (0)."""
    config = (tyro.conf.FlagCreatePairsOff, tyro.conf.DisallowNone, tyro.conf.OmitArgPrefixes)
    with _wide_enough(), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a YAML value out of bounds: the spec itself names it
        return tyro.cli(kind, prog=prog, description=description, args=argv, config=config)


@contextmanager
def _wide_enough() -> Iterator[None]:
    if shutil.get_terminal_size().columns >= NARROWEST:
        yield
        return
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(NARROWEST)
    try:
        yield
    finally:
        if before is None:
            del os.environ["COLUMNS"]
        else:
            os.environ["COLUMNS"] = before


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


# -- the dataclass that tyro makes flags of ---------------------------------------------------------------------------


def _flags(kind: type[BaseModel], given: Mapping[str, Any]) -> type:
    """A dataclass of the fields, those of a group in a dataclass of their own."""
    groups: dict[str | None, list[tuple[str, Any, Any]]] = {None: []}
    required_first = sorted(kind.model_fields.items(), key=lambda item: not item[1].is_required())
    for name, info in required_first:  # a dataclass wants it so
        groups.setdefault(_group(kind, name), []).append(_flag(name, info, given))
    own = groups.pop(None)
    own.append(("spec", Annotated[str | None, _HELP_OF_SPEC], dataclasses.field(default=None)))
    for group, fields in groups.items():
        flags = dataclasses.make_dataclass(f"{group}Flags", fields)
        flags.__doc__ = ""
        own.append(
            (f"group_{group}", Annotated[flags, tyro.conf.arg(name=group)], dataclasses.field(default_factory=flags))
        )
    return dataclasses.make_dataclass(kind.__name__, own)


def _values(parsed: Any) -> Iterator[tuple[str, Any]]:
    for field in dataclasses.fields(parsed):
        value = getattr(parsed, field.name)
        if dataclasses.is_dataclass(value):
            yield from _values(value)
        else:
            yield field.name, value


def _group(kind: type[BaseModel], name: str) -> str | None:
    owner = next((base for base in kind.__mro__ if name in vars(base).get("__annotations__", {})), kind)
    group: str | None = vars(owner).get("GROUP")
    return group


def _flag(name: str, info: FieldInfo, given: Mapping[str, Any]) -> tuple[str, Any, Any]:
    markers: list[Any] = [tyro.conf.arg(metavar=_metavar(name, info.annotation))]
    markers += [mark for mark in info.metadata if type(mark).__module__.startswith("tyro")]
    if get_origin(info.annotation) is tuple and not _takes_text(info.annotation):
        markers.append(NUMBERS)
    if isinstance(info.json_schema_extra, dict) and (aliases := info.json_schema_extra.get("aliases")):
        markers.append(tyro.conf.arg(aliases=tuple(map(str, cast(list[str], aliases)))))
    markers.append(tyro.conf.arg(help=info.description or ""))
    if tyro.conf.UseAppendAction not in info.metadata:
        bounds = _bounds(info)
        markers.append(tyro.conf.arg(help_behavior_hint=lambda default: _hint(info, bounds, default)))
    annotation: Any = Annotated[(info.annotation, *markers)]
    if name in given:
        return name, annotation, dataclasses.field(default=given[name])
    if info.is_required():
        return name, annotation, dataclasses.field()
    return name, annotation, dataclasses.field(default=info.default)


_HELP_OF_SPEC = tyro.conf.arg(
    metavar="FILE",
    help="YAML file with flags as its keys, as in `rows: 64`; what is given here wins over it.",
    help_behavior_hint="",
)


def _metavar(name: str, annotation: Any) -> str | None:
    """What stands for the value of a flag that takes text; None where the type says it better."""
    if _takes_text(annotation) and get_origin(annotation) is not tuple:
        return METAVARS.get(name, name.rstrip("_").upper().replace("_", "-"))
    known = METAVARS.get(name) if get_origin(annotation) is tuple else None
    return f"{known},..." if known and "..." not in known else known


def _takes_text(annotation: Any) -> bool:
    return annotation is str or str in get_args(annotation)


def _hint(info: FieldInfo, bounds: str, default: str) -> str:
    """What stands behind the help of a flag: its bounds, and the default where that is a value."""
    shown = "" if default in ("", "None", "False", "''") else f"default: {default}"
    both = "; ".join(filter(None, (bounds, shown)))
    return f"({both})" if both else ""


def _bounds(info: FieldInfo) -> str:
    """The least and the largest value, where they are more than that a number is positive."""
    low: Any = next((mark.ge for mark in info.metadata if isinstance(mark, annotated_types.Ge)), None)
    high: Any = next((mark.le for mark in info.metadata if isinstance(mark, annotated_types.Le)), None)
    if high is not None and high <= MOST_SHOWN:
        return f"at most {high}" if low is None else f"{low} to {high}"
    return f"at least {low}" if low is not None and low > 1 else ""


def _take_spec_file(argv: Sequence[str]) -> tuple[list[str], str | None]:
    """The words without `--spec FILE`, and the file."""
    words, files, place = list[str](), list[str](), 0
    while place < len(argv):
        word = argv[place]
        if word == "--spec":
            if place + 1 == len(argv):
                raise SpecError("--spec needs the path of a YAML file")
            files.append(argv[place + 1])
            place += 1
        elif word.startswith("--spec="):
            files.append(word.removeprefix("--spec="))
        else:
            words.append(word)
        place += 1
    if len(files) > 1:
        raise SpecError(f"--spec is given twice ({files[0]}, {files[1]}): put all keys into one file")
    return words, files[0] if files else None


# -- what is said -----------------------------------------------------------------------------------------------------


def _one_line(error: ValidationError) -> str:
    problems = []
    for problem in error.errors():
        flag = flag_of(str(problem["loc"][0])) if problem["loc"] else "spec"
        message = problem["msg"].removeprefix("Value error, ")
        given = str(problem["input"]).replace("\0", "\\0")
        problems.append(f"{flag} {given}: {message[0].lower()}{message[1:]}" if problem["loc"] else message)
    return "; ".join(problems)


def say(line: str) -> None:
    """A line for the person at the terminal; standard output stays free for what was asked for."""
    print(line, file=sys.stderr, flush=True)
