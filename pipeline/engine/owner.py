"""Whose table it is: TABLE/.stylemill/owner.json names the verb and the fingerprint of the job that writes it.

Two verbs may share a directory, never a table. The file is made before the first part and outlives a resume.
"""

from collections.abc import Iterable
from typing import TypeAlias

from pipeline.errors import OutputDiffers
from pipeline.tables import Artifact, Table, store

Output: TypeAlias = Table | Artifact


def claim(tables: Iterable[Output], verb: str, fingerprint: str) -> None:
    """Put the job's name on its tables.

    Raises:
        OutputDiffers: a table is another job's, or holds parts that no job made.
    """
    tables = list(tables)
    check(tables, verb, fingerprint)
    for table in tables:
        store.make_directory(store.join(table.url, ".stylemill"))
        store.create_exclusive(_url(table), store.canonical_json({"verb": verb, "fingerprint": fingerprint}))
    check(tables, verb, fingerprint)


def check(tables: Iterable[Output], verb: str, fingerprint: str) -> None:
    """Raise OutputDiffers where `claim` would; nothing is written."""
    for table in tables:
        found = owner(table)
        if found is None and holds_parts(table):
            raise OutputDiffers(
                f"{table.url} holds parts that no '{verb}' job on this directory made; "
                "choose another --out, or pass --replace to delete them"
            )
        if found is not None and found != {"verb": verb, "fingerprint": fingerprint}:
            raise OutputDiffers(
                f"{table.url} is the table of a '{found['verb']}' job with the fingerprint {found['fingerprint'][:6]}, "
                f"this one's is {fingerprint[:6]}; choose another --out, or pass --replace to make the table again"
            )


def holds_parts(table: Output) -> bool:
    """Whether anything is published there. Raises StoreError where parts of several tables are."""
    return table.has_files() if isinstance(table, Artifact) else bool(Table(table.url).parts())


def owner(table: Output) -> dict[str, str] | None:
    """Verb and fingerprint of the job that writes the table, or None. Raises StoreError where the file is damaged."""
    remedy = 'write {"verb": VERB, "fingerprint": F} into it, with F from .stylemill/VERB/spec.json one directory up'
    return store.read_object(_url(table), "the name of a job", {"verb": str, "fingerprint": str}, remedy)


def disown(table: Output) -> None:
    """Delete a table's parts, manifest and owner."""
    table.clear()
    store.delete(_url(table))


def _url(table: Output) -> str:
    return store.join(table.url, ".stylemill", "owner.json")
