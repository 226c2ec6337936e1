"""Specs: frozen, validated models whose fields are the flags of a verb and the keys of a YAML file."""

import inspect
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, TypeVar

import tyro
from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator, model_validator

from jobs import spec_file
from jobs.command_line import comma_list, command_line, flag_of, flags_class, take_spec_file, tie_numbers, values_of
from jobs.locations import absolute, is_location, stays_as_typed
from pipeline.errors import SpecError
from pipeline.urls import mistake

SpecT = TypeVar("SpecT", bound="Spec")

LARGEST_INT, LARGEST_FLOAT = 2**63 - 1, 3.4e38
"""What fits the tables' integers and the networks' numbers."""
OF_CLASSIFIERS = ("classifiers", "judge", "families", "joins")
"""Fields of specs that name families of classifiers, which may be files."""
Names = Annotated[tuple[str, ...], comma_list("A,B,...", spec_file.split)]
"""Names separated by commas."""


class Spec(BaseModel):
    """The flags of one run of a verb. The docstring of a subclass is its help text.

    Relative paths are taken from here, since workers have working directories of their own.

    VERB: the verb, as `directions fit`. GROUP: the title of the box in
    the help for the flags of this class. AS_TYPED: whether relative paths stay so. NOT_TAKEN: fields that do not apply
    to this verb, with what is said where one is given; the help does not show them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    VERB: ClassVar[str] = ""
    GROUP: ClassVar[str | None] = None
    AS_TYPED: ClassVar[bool] = False
    NOT_TAKEN: ClassVar[Mapping[str, str]] = {}

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
        if not is_location(name, field) or urls == (None,):
            return value
        for url in urls:
            if why := mistake(url):
                raise ValueError(why)
        if cls.AS_TYPED or stays_as_typed(name, field):
            return value
        return tuple(map(absolute, urls)) if isinstance(value, tuple) else absolute(value)

    @field_validator("generator", check_fields=False)
    @classmethod
    def _is_the_same_generator_everywhere(cls, value: Any) -> Any:
        from pipeline.models import generators

        return value if value is None else generators.canonical(value)

    @field_validator(*OF_CLASSIFIERS, check_fields=False)
    @classmethod
    def _are_the_same_classifiers_everywhere(cls, value: Any) -> Any:
        from pipeline.models.classifiers import own_name

        if cls.AS_TYPED:
            return value
        if isinstance(value, tuple):
            return tuple(map(own_name.canonical, value))
        return value if value is None else own_name.canonical(value)

    @field_validator("*")
    @classmethod
    def _has_no_empty_name(cls, value: Any) -> Any:
        if isinstance(value, tuple) and "" in value:
            raise ValueError("an empty name beside a comma (was a variable unset?)")
        return value

    @model_validator(mode="after")
    def _takes_them(self) -> Self:
        for name, why in self.NOT_TAKEN.items():
            if getattr(self, name) != type(self).model_fields[name].default:
                raise ValueError(why)
        return self


def parse(kind: type[SpecT], argv: Sequence[str]) -> SpecT:
    """The spec that `argv` asks for: flags over the keys of `--spec FILE` over the defaults.

    Raises:
        SpecError: a value is not valid, or the file is not a spec of this verb.
        SystemExit: tyro has said what is wrong with the flags (2), or shown the help (0).
    """
    argv, file = take_spec_file(tie_numbers(argv))
    flags = {word.split("=")[0].replace("_", "-") for word in argv}
    if why := next((why for name, why in kind.NOT_TAKEN.items() if flag_of(name) in flags), None):
        raise SpecError(why)
    given = spec_file.read(Path(file), kind) if file else {}
    parsed = command_line(
        flags_class(kind, given), f"stylemill {kind.VERB}", argv, inspect.cleandoc(kind.__doc__ or "")
    )
    with one_line():
        return kind.model_validate({name: value for name, value in values_of(parsed) if name in kind.model_fields})


@contextmanager
def one_line() -> Iterator[None]:
    """A spec that is not valid as a SpecError of one line, which names the flags."""
    try:
        yield
    except ValidationError as error:
        raise SpecError(_one_line(error)) from error


def command_of(spec: Spec) -> list[str]:
    """The words of the command line that asks for this, without `stylemill`; `parse` makes the same spec of them.

    Values that are the default are left out.
    """
    return [*spec.VERB.split(), *flags_of(spec)]


def flags_of(spec: Spec) -> Iterator[str]:
    """Positional arguments, then flags, as words."""
    fields = type(spec).model_fields.items()
    for name, info in sorted(fields, key=lambda field: tyro.conf.Positional not in field[1].metadata):
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


def _one_line(error: ValidationError) -> str:
    problems = []
    for problem in error.errors():
        flag = flag_of(str(problem["loc"][0])) if problem["loc"] else "spec"
        message = problem["msg"].removeprefix("Value error, ")
        given = str(problem["input"]).replace("\0", "\\0")
        problems.append(f"{flag} {given}: {message[0].lower()}{message[1:]}" if problem["loc"] else message)
    return "; ".join(problems)


def say(line: str) -> None:
    """Print a line for the user to standard error; standard output is for results."""
    print(line, file=sys.stderr, flush=True)
