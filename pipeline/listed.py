"""Modules of a package that a list names: editors, methods of fitting directions."""

import importlib
from collections.abc import Collection
from types import ModuleType

from pipeline.errors import SpecError


def listed_module(package: str, name: str, names: Collection[str], kind: str) -> ModuleType:
    """The module of a name, with _ for -. Raises SpecError where the name is not in the list."""
    if name not in names:
        raise SpecError(f"no {kind} {name!r}; the {kind}s are {', '.join(names)}")
    return importlib.import_module(f"{package}.{name.replace('-', '_')}")
