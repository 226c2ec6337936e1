"""A table: a directory of parts with one schema, and its manifest once it is complete (sealed)."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import pyarrow as pa

from pipeline.errors import SpecError, StoreError
from pipeline.tables import manifest as manifests
from pipeline.tables import reader, store
from pipeline.tables.inspection import inspect, sha256_of
from pipeline.tables.parts import Layout, PartRecord, parse_part_name, part_name
from pipeline.tables.verify import Problem, verify
from pipeline.tables.writer import PartWriter
from schemas import TableSchema


class Table:
    """Parts `part-00007-of-00064.parquet` below `url`, in rising order of the schema's key within and across parts.

    `Table.create` to write one, `Table.open` to read one. All methods raise `StoreError` where storage fails.
    """

    def __init__(self, url: str, schema: TableSchema | None = None, layout: Layout | None = None):
        if not str(url).strip():
            raise SpecError("a table needs a path or URL, this one is empty")
        self.url = str(url).rstrip("/") or "/"
        self._schema, self._layout = schema, layout
        self._manifest: dict[str, Any] | None = None

    @classmethod
    def create(cls, url: str, schema: TableSchema, *, rows: int, rows_per_shard: int, first_index: int = 0) -> "Table":
        """A table to write: `rows` planned rows from `first_index` on, cut into shards of `rows_per_shard`.

        Makes the directory; existing parts stay. Raises StoreError if it cannot.
        """
        table = cls(url, schema, Layout(rows, rows_per_shard, first_index))
        store.make_directory(table.url)
        return table

    @classmethod
    def open(cls, url: str) -> "Table":
        """A table to read, sealed or not. Raises StoreError where there is neither a manifest nor a part."""
        table = cls(url)
        if table.manifest() is None and not table.parts():
            raise StoreError(f"{url} is not a table: it holds no manifest and no part; check the path")
        return table

    @cached_property
    def schema(self) -> TableSchema:
        """As created, else from the footer of the first part."""
        if self._schema is not None:
            return self._schema
        names = list(self.parts().values()) if self.manifest() is None else [record.name for record in self.records()]
        if not names:
            raise StoreError(f"{self.url} has no part from which its schema could be known")
        return reader.part_schema(store.join(self.url, names[0]))

    @property
    def layout(self) -> Layout | None:
        """How planned rows are cut into shards: as created, else as sealed; None for an unsealed table just opened."""
        if self._layout is None and (manifest := self.manifest()) is not None:
            self._layout = manifests.layout(manifest)
        return self._layout

    # Writing

    def writer(self, shard: int, shards: int | None = None) -> PartWriter:
        """A writer of the part of one shard; `shards` may be left out where the table was created with its layout."""
        if self._layout is not None and shards in (None, self._layout.shards):
            return PartWriter(self.url, self.schema, shard, self._layout.shards, self._layout.indices(shard))
        if shards is None:
            raise ValueError("how many shards? give `shards`, or create the table with its rows and rows_per_shard")
        return PartWriter(self.url, self.schema, shard, shards)

    def publish(self, shard: int, rows: pa.Table, shards: int | None = None) -> PartRecord:
        """Write and publish one part from all its rows."""
        with self.writer(shard, shards) as writer:
            writer.write(rows)
            record = writer.finish()
            writer.publish()
        return record

    def seal(
        self,
        records: Iterable[PartRecord],
        facts: Mapping[str, Any],
        fingerprint: str | None = None,
        found: Mapping[str, int] | None = None,
    ) -> dict[str, Any]:
        """Write the manifest, after one listing has shown every part with its recorded size, and no other part.

        `facts` are stored as they are: what decided the rows, never timings or hosts. `found`: the listing (name ->
        bytes), if it was just made. Returns the manifest.
        Raises StoreError where parts are missing, of another size, or foreign.
        """
        records = sorted(records, key=lambda record: record.shard)
        found = store.list_names(self.url) if found is None else found
        shards = [record.shard for record in records]
        wanted = range(len(records) if self._layout is None else self._layout.shards)
        if shards != list(wanted):
            missing = sorted(set(wanted) - set(shards))
            raise StoreError(f"cannot seal {self.url}: no record of shards {missing[:5]} of {len(wanted)}")
        for record in records:
            if found.get(record.name) != record.bytes:
                what = f"has {found[record.name]} bytes" if record.name in found else "is missing"
                raise StoreError(
                    f"cannot seal {self.url}: {record.name} {what}, {record.bytes} were written: {reader.AGAIN}"
                )
        names = {record.name for record in records}
        if foreign := [name for name in found if name not in names and not name.startswith(".")]:
            raise StoreError(f"cannot seal {self.url}: {foreign[0]} is not of this table; move it elsewhere")
        manifest = manifests.build(self.schema, self._layout, records, fingerprint, facts)
        store.write_atomic(manifests.manifest_url(self.url), manifests.encode(manifest))
        self._manifest = manifest
        return manifest

    def unseal(self) -> None:
        """Delete the manifest: the table is not complete any more."""
        store.delete(manifests.manifest_url(self.url))
        self._manifest = None

    def clear(self) -> None:
        """Delete the manifest first, then every part and what killed writers left. Other files stay."""
        self.unseal()
        ours = [name for name in store.list_names(self.url) if parse_part_name(name) is not None or _is_staged(name)]
        store.delete_many([store.join(self.url, name) for name in ours])

    def sweep(self, names: Iterable[str] | None = None) -> int:
        """Delete what killed writers left behind; how many files. Only where no writer is at work.

        `names`: those to look at, where the table was listed just now.
        """
        left = [name for name in (store.list_names(self.url) if names is None else names) if _is_staged(name)]
        store.delete_many([store.join(self.url, name) for name in left])
        return len(left)

    # Reading

    def parts(self) -> dict[int, str]:
        """shard -> name of each part that is there, in order, from one listing.

        Raises StoreError where parts of several layouts (`-of-00032`, `-of-00064`) are there.
        """
        found = {name: place for name in store.list_names(self.url) if (place := parse_part_name(name)) is not None}
        cuts = sorted({shards for _, shards in found.values()})
        if len(cuts) > 1 or (cuts and self._layout is not None and cuts != [self._layout.shards]):
            wanted = f", wanted {self._layout.shards}" if self._layout else ""
            raise StoreError(
                f"{self.url} holds parts of tables of {' and '.join(map(str, cuts))} shards{wanted}: "
                "move one of them elsewhere, or write to another place"
            )
        return {shard: name for name, (shard, _) in sorted(found.items(), key=lambda item: item[1])}

    def manifest(self) -> dict[str, Any] | None:
        """The manifest, None where the table is not sealed."""
        if self._manifest is None:
            self._manifest = manifests.load(self.url)
        return self._manifest

    @property
    def sealed(self) -> bool:
        """Whether there is a manifest, which is not read: that of 100,000 parts is large. An empty one, as a power cut
        leaves, does not count.
        """
        return self._manifest is not None or bool(store.size(manifests.manifest_url(self.url)))

    def records(self) -> list[PartRecord]:
        """The records of all parts, in order of shard. Raises StoreError where the table is not sealed."""
        return manifests.records(self.require_sealed())

    def require_sealed(self) -> dict[str, Any]:
        """The manifest. Raises StoreError, which says what to do, where there is none."""
        manifest = self.manifest()
        if manifest is None:
            raise StoreError(
                f"{self.url} is not complete: {len(self.parts())} parts and no manifest; run the command that makes "
                "it again, which does what is left"
            )
        return manifest

    @property
    def digest(self) -> str:
        """sha256 of the manifest. Raises StoreError where the table is not sealed."""
        return manifests.digest(self.require_sealed())

    def read(
        self,
        columns: Sequence[str] | None = None,
        shards: Iterable[int] | None = None,
        indices: range | None = None,
    ) -> pa.Table:
        """Rows in order of index: all, or those of some shards, or those whose index is in `indices` (step 1)."""
        urls = self._part_urls(shards, indices)
        parts = [reader.read_part(url, self.schema, columns, indices) for url in urls]
        return pa.concat_tables([reader.empty_rows(self.schema, columns), *parts])

    def batches(
        self, columns: Sequence[str] | None = None, shards: Iterable[int] | None = None, rows: int = 1024
    ) -> Iterator[pa.RecordBatch]:
        """Rows in order of index, at most `rows` at a time; no batch is of two parts."""
        for url in self._part_urls(shards, None):
            yield from reader.read_part_batches(url, self.schema, columns, rows)

    def sha256_of(self, record: PartRecord) -> str | None:
        """sha256 of this record's part as it is now; None if it is missing. Raises StoreError."""
        return sha256_of(store.join(self.url, record.name))

    def inspect(self, shard: int) -> PartRecord:
        """The record of a published part, from all its bytes; for a table with a layout.

        Raises StoreError where the part is missing or damaged.
        """
        if self._layout is None:
            raise ValueError("which part? create the table with its rows and rows_per_shard")
        return inspect(store.join(self.url, part_name(shard, self._layout.shards)), self.schema, shard)

    def verify(self, deep: bool = True) -> list[Problem]:
        """What is wrong with the table, nothing where it is whole: see `pipeline.tables.verify`."""
        return verify(self.url, deep)

    def _part_urls(self, shards: Iterable[int] | None, indices: range | None) -> list[str]:
        """Parts to read, in order; a sealed table's are known without a listing, and so are one shard's of a layout."""
        if self._layout is not None and shards is not None and indices is None:
            names = {shard: part_name(shard, self._layout.shards) for shard in shards}
            return [store.join(self.url, names[shard]) for shard in sorted(names)]
        if self.manifest() is None:
            names = self.parts()
        else:
            names = {record.shard: record.name for record in self.records() if _may_hold(record, indices)}
        if shards is None:
            return [store.join(self.url, name) for name in names.values()]
        wanted = sorted(set(shards))
        if indices is None and (missing := [shard for shard in wanted if shard not in names]):
            raise StoreError(f"{self.url} has no part of shard {missing[0]}; it has {len(names)} parts")
        return [store.join(self.url, names[shard]) for shard in wanted if shard in names]


def _may_hold(record: PartRecord, indices: range | None) -> bool:
    if indices is None:
        return True
    if record.index_first is None or record.index_last is None:
        return False
    return record.index_first < indices.stop and record.index_last >= indices.start


def _is_staged(name: str) -> bool:
    return name.startswith(".part-") and name.endswith(".staged")
