"""FLAG=VALUE words of one command that are passed on to another."""

from collections.abc import Collection, Sequence
from typing import Any, get_origin

from pydantic.fields import FieldInfo

from jobs.flags import Spec


def given(words: Sequence[str], kind: type[Spec]) -> dict[str, Any]:
    """The fields and their values. Words are as `wrong` lets them through."""
    pairs = [word.partition("=")[::2] for word in words]
    return {field_of(name): value_of(text, kind.model_fields[field_of(name)]) for name, text in pairs}


def wrong(word: str, kind: type[Spec], decided: Collection[str]) -> str:
    """What is wrong with a word; empty where nothing is. decided: fields that may not be passed on."""
    name, equals, value = word.partition("=")
    if not equals or not value:
        return "write FLAG=VALUE"
    if field_of(name) not in kind.model_fields or field_of(name) in kind.NOT_TAKEN:
        return f"stylemill {kind.VERB} has no such flag"
    if field_of(name) in decided:
        return "the command that passes it on decides this flag: leave it out"
    return ""


def field_of(flag: str) -> str:
    """The field of a flag, with or without dashes before it."""
    return flag.removeprefix("--").replace("-", "_")


def value_of(text: str, field: FieldInfo) -> Any:
    """Text, which a spec reads as of the field's type; of several values with / between."""
    return tuple(text.split("/")) if get_origin(field.annotation) is tuple else text
