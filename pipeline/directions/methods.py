"""The methods that fit directions on scored rows: a new one is a file here with a `Config`, and a line in the list."""

from pipeline.directions.method import FitConfig
from pipeline.listed import listed_module

METHODS = {
    "svm": "the normal of a linear SVM between the highest and the lowest scores",
    "ridge": "ridge regression on the scores of all rows",
}
"""What each does, by name; its module is of the same name, with _ for -."""


def config_of(name: str) -> type[FitConfig]:
    """The flags of a method, which also fits. Raises SpecError where there is no such method."""
    config: type[FitConfig] = listed_module("pipeline.directions", name, METHODS, "method").Config
    return config
