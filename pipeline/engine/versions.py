"""Versions of the packages that can change the bytes of a result, read without importing them."""

import functools
import importlib.metadata
from collections.abc import Mapping

PACKAGES = ("torch", "numpy", "pyarrow")


@functools.cache
def versions() -> dict[str, str]:
    """Versions in this process; `none` if a package is not installed."""
    return {name: version(name) for name in PACKAGES}


def unlike(there: Mapping[str, str]) -> str:
    """What differs from here, as text; empty where nothing does."""
    here = versions()
    return ", ".join(f"{name} {there[name]} there, {here[name]} here" for name in here if there[name] != here[name])


@functools.cache  # to read what lies beside a package takes milliseconds, and a job asks for five
def version(name: str) -> str:
    """Version of a package; `none` if it is not installed (a node may run uploaded code)."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "none"
