"""FLAG=VALUE words of one command that are passed on to the command of a step."""

from collections.abc import Sequence
from typing import Any, get_origin

from jobs.flags import Spec

OF_THE_PLAN = ("out", "photos", "aligned", "inverted", "edits", "latents", "attribute", "preserve", "images", "local")
"""Fields of steps that the plan itself decides."""


def given(words: Sequence[str], kind: type[Spec]) -> dict[str, Any]:
    """The fields and their values: text, which the spec reads as of the field's type; of several values with / between.
    Words are as `wrong` lets them through."""
    found: dict[str, Any] = {}
    for word in words:
        name, _, value = word.partition("=")
        name = _field(name)
        several = get_origin(kind.model_fields[name].annotation) is tuple
        found[name] = tuple(value.split("/")) if several else value
    return found


def wrong(word: str, kind: type[Spec]) -> str:
    """What is wrong with a word; empty where nothing is."""
    name, equals, value = word.partition("=")
    if not equals or not value:
        return "write FLAG=VALUE"
    if _field(name) not in kind.model_fields or _field(name) in kind.NOT_TAKEN:
        return f"stylemill {kind.VERB} has no such flag"
    if _field(name) in OF_THE_PLAN:
        return "this flag is decided by photos edit itself: leave it out"
    return ""


def _field(name: str) -> str:
    return name.removeprefix("--").replace("-", "_")
