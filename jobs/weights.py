"""Whose weights a job stands on, for its records and its page."""

from typing import Any

from pipeline.models import zoo


def used(*names: str) -> list[dict[str, Any]]:
    """Source, licence and citation of each named network that is in the catalogue; a user's own file is not."""
    return [_facts(zoo.CATALOGUE[name]) for name in dict.fromkeys(names) if name in zoo.CATALOGUE]


def _facts(entry: zoo.Entry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "what": entry.what,
        "source": str(entry.source),
        "licence": entry.licence,
        "citation": entry.citation,
        "noncommercial": entry.non_commercial,
    }
