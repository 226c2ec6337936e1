"""Whether a job's tables belong together: one fingerprint, the same rows, and with the rejects all that was planned."""

from collections.abc import Iterator, Mapping

from pipeline.engine.attempt import REJECTS
from pipeline.engine.books import Books
from pipeline.tables import Table, store


def uncovered(out: str, verb: str) -> Iterator[str]:
    """What is amiss between the sealed, readable tables of job `verb` on `out`, a sentence each.

    Raises:
        StoreError: a table cannot be read.
    """
    stored = Books(out, verb).spec()
    if stored is None:
        return
    places = {name: ("rejects", verb) if name == REJECTS else (name,) for name in stored["tables"]}
    tables = {name: Table(store.join(out, *place)) for name, place in places.items()}
    for name, table in tables.items():
        found = table.require_sealed()["fingerprint"]
        if found != stored["fingerprint"]:
            yield f"{name} was sealed with the fingerprint {found[:6]}, the job's is {stored['fingerprint'][:6]}"
    seen = 0
    for shard in range(stored["shards"]):
        index = {name: _index(table, shard) for name, table in tables.items()}
        seen += len(set.union(*index.values()))
        yield from _apart(shard, index)
    if seen != stored["planned"]:
        yield f"{seen:,} rows are published or rejected, {stored['planned']:,} were planned"


def _apart(shard: int, index: Mapping[str, set[int]]) -> Iterator[str]:
    names = [name for name in index if name != REJECTS]
    first = index[names[0]]
    for name in names[1:]:
        if odd := sorted(first ^ index[name]):
            yield f"shard {shard}: row {odd[0]} is in one of {names[0]} and {name} and not in the other"
    if both := sorted(first & index[REJECTS]):
        yield f"shard {shard}: row {both[0]} is in {names[0]} and among the rejects"


def _index(table: Table, shard: int) -> set[int]:
    return set(table.read(columns=["index"], shards=[shard])["index"].to_pylist())
