"""The methods that fit directions on scored rows: a new one is a file here with a `Config`, and a line in the list."""

import importlib

from pipeline.directions.method import FitConfig
from pipeline.errors import SpecError

METHODS = {
    "svm": "the normal of a linear SVM between the highest and the lowest scores",
    "ridge": "ridge regression on the scores of all rows",
}
"""What each does, by name; its module is of the same name, with _ for -."""


def config_of(name: str) -> type[FitConfig]:
    """What a method can be asked, and by which it is fitted. Raises SpecError where there is no such method."""
    if name not in METHODS:
        raise SpecError(f"no method {name!r}; the methods are {', '.join(METHODS)}")
    config: type[FitConfig] = importlib.import_module(f"pipeline.directions.{name.replace('-', '_')}").Config
    return config
