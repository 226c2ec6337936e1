"""The command line of a spec: tyro makes flags of a dataclass that has its fields, with their help and bounds."""

import argparse
import dataclasses
import functools
import os
import re
import shutil
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Annotated, Any, cast, get_args, get_origin

import annotated_types
import tyro
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from pipeline.errors import SpecError

NARROWEST = 40
"""Columns that a help is laid out for at least; in a few of them tyro never comes to the end of a line."""
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
"""What stands for the text of a flag in its help, unless its field says so itself (`metavar` in `json_schema_extra`);
elsewhere the name of the flag, in capitals."""


def comma_list(metavar: str, words_of: Callable[[str], tuple[str, ...]]) -> Any:
    """For tyro: a flag whose one word has commas between its parts."""
    return tyro.constructors.PrimitiveConstructorSpec(
        nargs=1,
        metavar=metavar,
        instance_from_str=lambda words: words_of(words[0]),
        is_instance=lambda value: isinstance(value, tuple),
        str_from_instance=lambda value: [",".join(map(str, value))],
    )


NUMBERS = comma_list("X,Y,...", lambda text: tuple(text.split(",")))
"""Of a field of numbers separated by commas; pydantic reports which word is no number."""
HELP_OF_SPEC = tyro.conf.arg(
    metavar="FILE",
    help="YAML file with flags as its keys, as in `rows: 64`; flags given here override it.",
    help_behavior_hint="",
)


def command_line(kind: Any, prog: str, argv: Sequence[str], description: str | None = None) -> Any:
    """What tyro makes of the words. Raises SystemExit: it has said what is wrong (2), or shown the help (0)."""
    config = (
        tyro.conf.FlagCreatePairsOff,
        tyro.conf.DisallowNone,
        tyro.conf.OmitArgPrefixes,
        tyro.conf.HelptextFromCommentsOff,  # all have a description; to look for comments takes twice as long
    )
    with _wide_enough(), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a YAML value out of bounds: the spec itself names it
        return tyro.cli(kind, prog=prog, description=description, args=argv, config=config)


def flag_of(name: str) -> str:
    """The flag of a field; `from_`, which has its underscore from Python, is --from."""
    return f"--{name.rstrip('_').replace('_', '-')}"


def tie_numbers(argv: Sequence[str]) -> list[str]:
    """With each list of numbers that begins with a minus tied to its flag: -3,-1 alone looks like a flag itself."""
    tied: list[str] = []
    for word in argv:
        if re.fullmatch(r"-[\d.][^,]*,.*", word) and tied and re.fullmatch(r"--[a-z\d-]+", tied[-1]):
            tied[-1] += f"={word}"
        else:
            tied.append(word)
    return tied


def take_spec_file(argv: Sequence[str]) -> tuple[list[str], str | None]:
    """The words without `--spec FILE`, and the file. Raises SpecError where that is none, or two."""
    taker = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    taker.add_argument("--spec", action="append", nargs="?", const="", default=[])
    found, words = taker.parse_known_args(argv)
    if "" in found.spec:
        raise SpecError("--spec needs the path of a YAML file")
    if len(found.spec) > 1:
        raise SpecError(f"--spec is given twice ({', '.join(found.spec)}): put all keys into one file")
    return words, found.spec[0] if found.spec else None


def flags_class(kind: type[BaseModel], given: Mapping[str, Any]) -> type:
    """A dataclass of the fields, those of a group in a dataclass of their own. given: in place of their defaults."""
    return _flags_class(kind, given) if given else _of_defaults(kind)


@functools.cache
def _of_defaults(kind: type[BaseModel]) -> type:
    """Once for each kind: tyro keeps what it has read of a class, and a study or a test asks for the same one often."""
    return _flags_class(kind, {})


def _flags_class(kind: type[BaseModel], given: Mapping[str, Any]) -> type:
    groups: dict[str | None, list[tuple[str, Any, Any]]] = {None: []}
    required_first = sorted(kind.model_fields.items(), key=lambda item: not item[1].is_required())
    for name, info in required_first:  # a dataclass wants it so
        shown = name not in getattr(kind, "NOT_TAKEN", ())
        groups.setdefault(_group(kind, name), []).append(_flag(name, info, given, shown))
    own = groups.pop(None)
    own.append(("spec", Annotated[str | None, HELP_OF_SPEC], dataclasses.field(default=None)))
    for place, (group, fields) in enumerate(groups.items()):
        flags = dataclasses.make_dataclass(f"Flags{place}", fields)
        flags.__doc__ = ""
        required = any(field.default is dataclasses.MISSING for _, _, field in fields)
        default = dataclasses.field() if required else dataclasses.field(default_factory=flags)
        own.append((f"group_{place}", Annotated[flags, tyro.conf.arg(name=group)], default))
    return dataclasses.make_dataclass(kind.__name__, own, kw_only=True)


def values_of(parsed: Any) -> Iterator[tuple[str, Any]]:
    """Names and values of all fields of a `flags_class`, those in groups too."""
    for field in dataclasses.fields(parsed):
        value = getattr(parsed, field.name)
        if dataclasses.is_dataclass(value):
            yield from values_of(value)
        else:
            yield field.name, value


def _group(kind: type[BaseModel], name: str) -> str | None:
    owner = next((base for base in kind.__mro__ if name in vars(base).get("__annotations__", {})), kind)
    group: str | None = vars(owner).get("GROUP")
    return group


def _flag(name: str, info: FieldInfo, given: Mapping[str, Any], shown: bool) -> tuple[str, Any, Any]:
    extra = cast(dict[str, Any], info.json_schema_extra) if isinstance(info.json_schema_extra, dict) else {}
    markers: list[Any] = [tyro.conf.arg(metavar=extra.get("metavar") or _metavar(name, info.annotation))]
    markers += [mark for mark in info.metadata if type(mark).__module__.startswith("tyro")]
    markers += [] if shown else [tyro.conf.Suppress]
    if get_origin(info.annotation) is tuple and not _takes_text(info.annotation):
        markers.append(NUMBERS)
    if aliases := extra.get("aliases"):
        markers.append(tyro.conf.arg(aliases=tuple(aliases)))
    markers.append(tyro.conf.arg(help=info.description or ""))
    if tyro.conf.UseAppendAction not in info.metadata:
        bounds = _bounds(info)
        markers.append(tyro.conf.arg(help_behavior_hint=lambda default: _hint(bounds, default)))
    annotation: Any = Annotated[(info.annotation, *markers)]
    if name in given:
        return name, annotation, dataclasses.field(default=given[name])
    return name, annotation, dataclasses.field() if info.is_required() else dataclasses.field(default=info.default)


def _metavar(name: str, annotation: Any) -> str | None:
    """What stands for the value of a flag that takes text; None where the type says it better."""
    if _takes_text(annotation) and get_origin(annotation) is not tuple:
        return METAVARS.get(name, name.rstrip("_").upper().replace("_", "-"))
    known = METAVARS.get(name) if get_origin(annotation) is tuple else None
    return f"{known},..." if known and "..." not in known else known


def _takes_text(annotation: Any) -> bool:
    return annotation is str or str in get_args(annotation)


def _hint(bounds: str, default: str) -> str:
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
