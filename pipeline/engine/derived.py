"""Outputs that the driver makes itself: small tables, files, artifacts, from the job's sealed tables or what was asked.

Each is written whole, what tells that it is complete last: a table or an artifact its manifest, a file its line in the
job's records.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import pyarrow as pa

from pipeline.engine.fingerprint import fingerprint
from pipeline.engine.job_records import JobRecords
from pipeline.engine.owner import claim
from pipeline.errors import StoreError
from pipeline.tables import Artifact, ArtifactFiles, Table, store
from schemas import TableSchema

Facts: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class DerivedTable:
    """The table DIR/`name`, of one part.

    rows: makes them. reads: the tables of the job that they are made of. facts: what decides them besides these and the
        job's spec.
    """

    name: str
    schema: TableSchema
    rows: Callable[[], pa.Table]
    reads: tuple[str, ...] = ()
    facts: Facts = field(default_factory=dict)

    def table(self, out: str) -> Table:
        return Table(store.join(out, self.name))

    def is_made(self, job_records: JobRecords, job: str, facts: Facts) -> bool:
        """Whether it is there, whole, and made of these facts by the job of this fingerprint."""
        table = self.table(job_records.out)
        try:
            manifest = table.manifest()
            return (
                manifest is not None
                and manifest["fingerprint"] == job
                and store.canonical_json(manifest["facts"]) == store.canonical_json(facts)
                and all(table.sha256_of(record) == record.sha256 for record in table.records())
            )
        except StoreError:  # damaged or not readable: it is made again
            return False

    def make(self, job_records: JobRecords, job: str, facts: Facts, check_lease: Callable[[], None]) -> str:
        """Make it, in place of what is there; its size, in words. `check_lease` raises if the lease is lost."""
        rows = self.rows()
        check_lease()
        claim([self.table(job_records.out)], job_records.verb, job)
        write_whole(self.table(job_records.out).url, self.schema, rows, facts, job, check_lease)
        return f"{rows.num_rows:,} row{'' if rows.num_rows == 1 else 's'}"

    def unseal(self, job_records: JobRecords) -> None:
        """From now on it is not complete: what it was made of changes."""
        self.table(job_records.out).unseal()


@dataclass(frozen=True)
class DerivedFile:
    """The file DIR/`name`. content: makes it; reads, facts: as those of a table."""

    name: str
    content: Callable[[], bytes]
    reads: tuple[str, ...] = ()
    facts: Facts = field(default_factory=dict)

    def is_made(self, job_records: JobRecords, job: str, facts: Facts) -> bool:
        """Whether it is there, whole, and made of these facts."""
        try:
            record = job_records.files().get(self.name)
            return record is not None and record["made_of"] == fingerprint(facts) and is_whole(job_records, self.name)
        except StoreError:
            return False

    def make(self, job_records: JobRecords, job: str, facts: Facts, check_lease: Callable[[], None]) -> str:
        """As that of a table."""
        content = self.content()
        check_lease()
        store.write_atomic(store.join(job_records.out, self.name), content)
        job_records.record_file(self.name, content, fingerprint(facts))
        return f"{len(content):,} bytes"

    def unseal(self, job_records: JobRecords) -> None:
        """As that of a table."""
        job_records.record_file(self.name, None)


@dataclass(frozen=True)
class DerivedArtifact:
    """The artifact DIR/`name`. files: makes it; reads, facts: as those of a table."""

    name: str
    files: Callable[[], ArtifactFiles]
    reads: tuple[str, ...] = ()
    facts: Facts = field(default_factory=dict)

    def artifact(self, out: str) -> Artifact:
        return Artifact(store.join(out, self.name))

    def is_made(self, job_records: JobRecords, job: str, facts: Facts) -> bool:
        """As that of a table."""
        artifact = self.artifact(job_records.out)
        try:
            manifest = artifact.manifest()
            return (
                manifest is not None
                and manifest["fingerprint"] == job
                and store.canonical_json(manifest["facts"]) == store.canonical_json(facts)
                and not artifact.verify()
            )
        except StoreError:
            return False

    def make(self, job_records: JobRecords, job: str, facts: Facts, check_lease: Callable[[], None]) -> str:
        """As that of a table."""
        made, artifact = self.files(), self.artifact(job_records.out)
        check_lease()
        claim([artifact], job_records.verb, job)
        record = artifact.publish(made, check_lease)
        artifact.seal([record], facts, job)
        return f"an artifact of {record.bytes / 1e6:,.1f} MB"

    def unseal(self, job_records: JobRecords) -> None:
        """As that of a table."""
        self.artifact(job_records.out).unseal()


Derived: TypeAlias = DerivedTable | DerivedFile | DerivedArtifact


def write_whole(
    url: str,
    schema: TableSchema,
    rows: pa.Table,
    facts: Facts,
    digest: str,
    check_lease: Callable[[], None] = lambda: None,
) -> None:
    """Make and seal a table of one part, in place of what is there. `check_lease` raises if it may not be sealed."""
    Table(url).clear()
    table = Table.create(url, schema, rows=max(1, rows.num_rows), rows_per_shard=max(1, rows.num_rows))
    record = table.publish(0, rows)
    check_lease()
    table.seal([record], facts, digest)


def is_whole(job_records: JobRecords, name: str) -> bool:
    """Whether a file is the one on record. Raises StoreError where it cannot be read."""
    content, record = store.read_bytes(store.join(job_records.out, name)), job_records.files().get(name)
    return content is not None and record is not None and hashlib.sha256(content).hexdigest() == record["sha256"]
