"""Whose weights a job stands on, for its records and its page."""

from typing import Any, Protocol

from pipeline.models import zoo


class Weighted(Protocol):
    """A model that says which catalogue entries it is made of."""

    @property
    def weights(self) -> tuple[str, ...]: ...


def used(*models: Weighted) -> list[dict[str, Any]]:
    """Name, source, licence and citation of each catalogue entry in use, each once."""
    names = dict.fromkeys(name for model in models for name in model.weights)
    return [_facts(zoo.CATALOGUE[name]) for name in names]


def _facts(entry: zoo.Entry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "what": entry.what,
        "source": str(entry.source),
        "licence": entry.licence,
        "citation": entry.citation,
        "noncommercial": entry.non_commercial,
    }
