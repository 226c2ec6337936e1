"""Whether a job's outputs fit together.

Its tables have one fingerprint, the same rows, and with the rejects all that was planned; what is derived from them is
there, and made of these very tables.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.engine.attempt import REJECTS
from pipeline.engine.derived import is_whole
from pipeline.engine.job_records import JobRecords
from pipeline.tables import Artifact, Table, store


def inconsistencies(out: str, verb: str) -> Iterator[str]:
    """What does not fit between the sealed, readable tables of job `verb` on `out`, a sentence each.

    Raises:
        StoreError: a table cannot be read.
    """
    stored = JobRecords(out, verb).spec()
    if stored is None:
        return
    if (name := stored.get("artifact")) is not None:
        found = (Artifact(store.join(out, name)).manifest() or {}).get("fingerprint", "")
        if found != stored["fingerprint"]:
            yield f"{name} was sealed with the fingerprint {found[:6]}, the job's is {stored['fingerprint'][:6]}"
        return
    derived = stored.get("derived", ())
    places = {name: ("rejects", verb) if name == REJECTS else (name,) for name in stored["tables"]}
    tables = {name: Table(store.join(out, *place)) for name, place in places.items() if name not in derived}
    for name, table in tables.items():
        found = table.require_sealed()["fingerprint"]
        if found != stored["fingerprint"]:
            yield f"{name} was sealed with the fingerprint {found[:6]}, the job's is {stored['fingerprint'][:6]}"
    seen = 0
    for shard in range(stored["shards"]):
        index = {name: _index(table, shard) for name, table in tables.items()}
        seen += len(set.union(*index.values()))
        yield from _different_rows(shard, index)
    if seen != stored["planned"]:
        yield f"{seen:,} rows are published or rejected, {stored['planned']:,} were planned"


def not_derived(out: str, verb: str) -> Iterator[str]:
    """The derived outputs of job `verb` that are not complete, a sentence each: the same command makes them.

    A table's own parts are not looked at: `Table.verify` does that. Raises StoreError where one cannot be read.
    """
    job_records = JobRecords(out, verb)
    stored = job_records.spec() or {}
    for name, reads in stored.get("derived", {}).items():
        is_artifact = name in stored.get("derived_artifacts", ())
        if name not in stored["tables"] and not is_artifact:
            if name not in job_records.files():
                yield f"{name} is not made yet"
            elif not is_whole(job_records, name):
                yield f"{name} is missing, or is not the file that was written"
            continue
        url = store.join(out, name)
        manifest = Artifact(url).manifest() if is_artifact else Table(url).manifest()
        if manifest is None:
            yield f"{name} is not made yet"
        elif manifest["fingerprint"] != stored["fingerprint"]:
            yield f"{name} was made with the fingerprint {manifest['fingerprint'][:6]}, not by this job"
        elif other := [one for one in reads if _is_another(Table(store.join(out, one)), one, manifest)]:
            yield f"{name} was made of other rows than those of {other[0]}"


def _is_another(table: Table, name: str, made: Mapping[str, Any]) -> bool:
    return table.manifest() is not None and table.digest != made["facts"]["resolved"].get(f"{name}_digest")


def _different_rows(shard: int, index: Mapping[str, set[int]]) -> Iterator[str]:
    names = [name for name in index if name != REJECTS]
    first = index[names[0]]
    for name in names[1:]:
        if odd := sorted(first ^ index[name]):
            yield f"shard {shard}: row {odd[0]} is in one of {names[0]} and {name} and not in the other"
    if both := sorted(first & index[REJECTS]):
        yield f"shard {shard}: row {both[0]} is in {names[0]} and among the rejects"


def _index(table: Table, shard: int) -> set[int]:
    return set(table.read(columns=["index"], shards=[shard])["index"].to_pylist())
