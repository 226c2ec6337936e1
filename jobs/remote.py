"""The words of a verb that will run on a cluster, checked here: a typo fails in a second, not in a queue."""

import importlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from types import ModuleType
from typing import Any

from pydantic import create_model

from jobs import __main__, subverbs
from jobs.command_line import command_line, flag_of
from jobs.flags import OF_CLASSIFIERS, Spec, flags_of, parse
from jobs.locations import is_location
from pipeline.errors import SpecError
from pipeline.models.classifiers.own_name import is_own

NOT_SENT = ("demo", "try", "submit")
"""`demo` and `try` fetch networks into the cache of this machine; `submit` sends another verb."""
VERBS = tuple(verb for verb in __main__.VERBS if verb not in NOT_SENT)


def checked(words: Sequence[str]) -> list[str]:
    """The words to send: as they are, or, where `--spec FILE` is among them, with the keys of the file as flags.

    Raises:
        SpecError: no such verb, a bad value, or something that only this machine has.
        SystemExit: tyro has said what is wrong with the flags (2), or shown the help (0).
    """
    if not words:
        raise SpecError("the command to run goes after `--`: stylemill submit ... -- dataset --rows 64 --out s3://...")
    verb, *rest = words
    if verb not in VERBS:
        demo = "; send `dataset`, which makes the demo's faces, and `report`, its page" if verb == "demo" else ""
        raise SpecError(f"{verb!r} cannot be sent to a cluster; the verbs that can are {', '.join(VERBS)}{demo}")
    if verb == "models":
        command_line(importlib.import_module("jobs.models").Verb, "stylemill models", rest)
        return [*words]
    kind, head, rest = spec_of(words)
    parse(kind, rest)
    bare = _without_validators(kind)
    given = parse(bare, rest)
    _check(given)
    if not any(word == "--spec" or word.startswith("--spec=") for word in rest):
        return [*words]
    flags = list(flags_of(given))
    if parse(bare, flags) != given:
        raise SpecError("the values of --spec cannot all be written as flags: leave out --spec and give them as flags")
    return [*head, *flags]


def spec_of(words: Sequence[str]) -> tuple[type[Spec], list[str], list[str]]:
    """The spec of the verb of a command line, the words that name it, and those that follow. Raises SpecError."""
    verb, *rest = words
    module, head = subverbs.module_of(verb), [verb]
    if hasattr(module, "VERBS") and rest:
        module, head, rest = subverbs.module(verb, module.VERBS, rest[0]), [verb, rest[0]], rest[1:]
    elif hasattr(module, "SPECS") and rest:
        head, rest = [verb, rest[0]], rest[1:]
    return _spec_of(module, head), head, rest


def _spec_of(module: ModuleType, head: Sequence[str]) -> type[Spec]:
    """The spec of a verb, which its module defines or imports, or has in its SPECS by the word behind the verb."""
    if hasattr(module, "SPECS"):
        specs: Mapping[str, type[Spec]] = module.SPECS
        if head[1:] == [] or head[1] not in specs:
            said = f"{head[1]!r} is none of" if head[1:] else "it needs one of"
            raise SpecError(f"{head[0]}: {said} {', '.join(specs)}")
        return specs[head[1]]
    verb = " ".join(head)
    kinds = [kind for kind in vars(module).values() if isinstance(kind, type) and issubclass(kind, Spec)]
    own = [kind for kind in kinds if verb == kind.VERB]
    if not own:
        raise SpecError(f"{verb} needs a verb of its own; see its --help")
    if len(own) > 1:
        names = ", ".join(kind.__name__ for kind in own)
        raise SpecError(f"{module.__name__} has more than one spec, so that its words cannot be checked: {names}")
    return own[0]


def _without_validators(kind: type[Spec]) -> type[Spec]:
    """The same flags, whose values stay as they were given: a path is not taken from this machine's root."""
    fields: dict[str, Any] = {name: (info.annotation, info) for name, info in kind.model_fields.items()}
    bare = create_model(kind.__name__, __base__=Spec, **fields)
    bare.VERB, bare.AS_TYPED = kind.VERB, True
    return bare


def _check(given: Spec) -> None:
    if (getattr(given, "local", False) and not type(given).model_fields["local"].default) or getattr(
        given, "address", None
    ):
        raise SpecError("leave out --local and --address after `--`: the job joins the cluster that it runs on")
    for name, url in _urls(given):
        path = url.removeprefix("file://")
        if "://" not in path and not PurePosixPath(path).is_absolute():
            raise SpecError(
                f"{flag_of(name)} {url} is relative: on the cluster it would be a directory of the job's own that "
                "vanishes; give a URL (s3://...), or the whole path of a directory that all nodes share"
            )


def _urls(given: Spec) -> Iterator[tuple[str, str]]:
    for name, info in type(given).model_fields.items():
        families = name in OF_CLASSIFIERS
        if not families and not is_location(name, info):
            continue
        value = getattr(given, name)
        for url in value if isinstance(value, tuple) else (value,):
            if isinstance(url, str) and (is_own(url) or not families):
                yield name, url
