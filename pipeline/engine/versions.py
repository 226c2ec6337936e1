"""Versions of packages that can move bytes, without importing them."""

import functools
import importlib.metadata
from collections.abc import Mapping

PACKAGES = ("torch", "numpy", "pyarrow")


@functools.cache
def versions() -> dict[str, str]:
    """Those of this process; `none` where a package is not installed."""
    return {name: version(name) for name in PACKAGES}


def unlike(there: Mapping[str, str]) -> str:
    """What differs from here, as text; empty where nothing does."""
    here = versions()
    return ", ".join(f"{name} {there[name]} there, {here[name]} here" for name in here if there[name] != here[name])


def version(name: str) -> str:
    """Of a package; `none` where it is not installed, as where a node runs what was uploaded to it."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "none"
