"""What is known of the networks of the catalogue, and what the cache has of them, as text."""

from pipeline.errors import ModelFileError
from pipeline.models.zoo import cache
from pipeline.models.zoo.catalogue import CATALOGUE
from pipeline.models.zoo.entry import Entry


def markdown() -> str:
    """The catalogue as a Markdown table: what each network is, its source, licence, citation and restriction."""
    rows = [("Name", "What", "Source", "Licence", "Citation", "Non-commercial"), ("---",) * 6]
    for entry in CATALOGUE.values():
        restriction = f"yes: {entry.non_commercial}" if entry.non_commercial else "not stated"
        rows.append((f"`{entry.name}`", entry.what, str(entry.source), entry.licence, entry.citation, restriction))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def facts_of(entry: Entry) -> dict[str, str]:
    """All that is known of a network, with its place in the cache. Raises ModelFileError where its card is damaged."""
    pulled = cache.read_card(entry) is not None
    return {
        "name": entry.name,
        "what": entry.what,
        "source": str(entry.source),
        "members": ", ".join(entry.folder + member for member in entry.members),
        "format": entry.format,
        "digest": entry.digest,
        "licence": entry.licence,
        "citation": entry.citation,
        "non-commercial": entry.non_commercial or "not stated",
        "cache": str(cache.folder(entry)) if pulled else f"not pulled: run `stylemill models pull {entry.name}`",
    }


def megabytes(*entries: Entry) -> float:
    """What these networks take in the cache; those that it lacks take nothing. Raises ModelFileError."""
    cards = [card for entry in entries if (card := cache.read_card(entry))]
    return sum(facts["bytes"] for card in cards for facts in card["files"].values()) / 1e6


def in_cache(entry: Entry) -> str:
    """The size of a network in the cache, `-` where it is not there; or that it is damaged. Raises Unusable."""
    try:
        size = megabytes(entry)
    except cache.Unusable:
        raise
    except ModelFileError:
        return "damaged"
    return f"{size:.1f} MB" if size else "-"
