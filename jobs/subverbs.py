"""Verbs that have verbs of their own: `stylemill directions fit`, `stylemill reproduce interfacegan`."""

import importlib
import keyword
from collections.abc import Mapping, Sequence
from types import ModuleType

from pipeline.errors import SpecError

SubVerbs = Mapping[str, tuple[str, str]]
"""By name: the module in the verb's package, and what it does."""
HELP = ("-h", "--help", "help")


def usage(verb: str, what: str, lines: Mapping[str, str]) -> str:
    """The help of such a verb: a line for each of what follows it."""
    width = max(14, *(len(name) + 2 for name in lines))
    listed = "\n".join(f"  {name:{width}}{does}" for name, does in lines.items())
    return f"usage: stylemill {verb} {what} [FLAGS]   (... {what} --help shows the flags and an example)\n\n{listed}"


def run(verb: str, subverbs: SubVerbs, argv: Sequence[str]) -> int:
    """Run one of them.

    Raises:
        SpecError: there is no such verb.
        SystemExit: tyro has said what is wrong with the flags (2), or shown the help (0).
    """
    if not argv or argv[0] in HELP:
        print(usage(verb, "VERB", {name: what for name, (_, what) in subverbs.items()}))
        return 0 if argv else 2
    code: int = module(verb, subverbs, argv[0]).main(argv[1:])
    return code


def module(verb: str, subverbs: SubVerbs, name: str) -> ModuleType:
    """The module of one of them. Raises SpecError where there is none of that name."""
    if name not in subverbs:
        raise SpecError(f"{verb} has no verb {name!r}; the verbs are {', '.join(subverbs)}")
    return importlib.import_module(f"jobs.{verb}.{subverbs[name][0]}")


def module_of(verb: str) -> ModuleType:
    """The module, or the package, of a verb: `jobs.VERB`, and `jobs.try_` where Python has another use for the name."""
    return importlib.import_module(f"jobs.{verb}{'_' if keyword.iskeyword(verb) else ''}")
