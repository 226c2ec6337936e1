"""The tables that something is trained on, as its card keeps them."""

from collections.abc import Mapping, Sequence

from pipeline.card import InputTable
from pipeline.stages.joined import Labels
from pipeline.stages.source import Latents
from pipeline.tables import Table


def inputs_of(latents: Latents, labels: Sequence[Labels]) -> dict[str, str]:
    """Digests, by name: one of all latents, and one of each labels table."""
    digests: dict[str, Sequence[str]] = {"latents": [latents.digest], "labels": [table.digest for table in labels]}
    return {
        kind if len(several) == 1 else f"{kind} {place}": digest
        for kind, several in digests.items()
        for place, digest in enumerate(several, 1)
    }


def tables_of(latents: Latents, labels: Sequence[Labels]) -> Mapping[str, tuple[InputTable, ...]]:
    """Each table, as latents or as labels. Raises StoreError."""
    return {"latents": tuple(map(described, latents.tables)), "labels": tuple(map(described, labels))}


def described(table: Labels) -> InputTable:
    """Where a table is, and how its faces were sampled and scored, as far as it says. Raises StoreError."""
    asked = table.require_sealed()["facts"].get("spec", {}) if isinstance(table, Table) else {}
    seed, family = asked.get("seed"), asked.get("classifiers")
    return InputTable(
        url=table.url, digest=table.digest, seed=seed if isinstance(seed, int) else None,
        classifiers=family if isinstance(family, str) else None,
    )  # fmt: skip
