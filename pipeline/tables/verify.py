"""Is a table whole? Every part is compared with the manifest, which was written last.

Shallow: names and sizes, from one listing. Deep: also digests, page checksums, schema, and every value's validity.
A damaged file is a finding, never an exception; only storage that cannot be reached raises.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from pipeline.errors import StoreError
from pipeline.tables import manifest as manifests
from pipeline.tables import store
from pipeline.tables.parts import Layout, PartRecord, parse_part_name
from pipeline.tables.store_errors import one_line
from pipeline.tables.succession import Succession
from schemas import SchemaError, TableSchema, from_arrow

REMAKE = "delete it and run the command that makes the table again"
FINISH = "run the command that makes the table again"


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: in which part (a file name), where in it, what, and what to do next."""

    part: str
    what: str
    next_step: str
    where: str = ""

    def __str__(self) -> str:
        place = f"{self.part}, {self.where}" if self.where else self.part
        return f"{place}: {self.what}: {self.next_step}"


def verify(table_url: str, deep: bool = True) -> list[Problem]:
    """All that is wrong with a table; an empty list where it is whole. Raises StoreError where storage fails."""
    file = f"{manifests.FOLDER}/{manifests.FILE}"
    url = manifests.manifest_url(table_url)
    content = store.read_bytes(url)
    if content is None:
        return [Problem(file, "is missing: the table is not complete", FINISH)]
    try:
        manifest = manifests.parse(content, url)
    except StoreError as error:
        return [Problem(file, f"is damaged ({error.__cause__!r})", f"delete it and {FINISH}")]
    records, layout = manifests.records(manifest), manifests.layout(manifest)
    found = store.list_names(table_url)
    problems = [*_manifest_problems(file, manifest, records), *_foreign(found, records)]
    for record in records:
        if record.name not in found:
            problems.append(Problem(record.name, "is missing", FINISH))
        elif found[record.name] != record.bytes:
            what = f"has {found[record.name]} bytes, {record.bytes} were written: torn or replaced"
            problems.append(Problem(record.name, what, REMAKE))
        if deep and record.name in found:
            with store.local_copy(store.join(table_url, record.name)) as path:
                problems += _part_problems(path, record, manifest, layout)
    return problems


def _manifest_problems(file: str, manifest: dict[str, Any], records: list[PartRecord]) -> Iterator[Problem]:
    rows, size = sum(record.rows for record in records), sum(record.bytes for record in records)
    if manifest.get("totals") != {"parts": len(records), "rows": rows, "bytes": size}:
        yield Problem(file, "its totals are not the sums of its parts", f"delete it and {FINISH}")
    last, before = -1, ""
    for record in records:
        if record.index_first is None or record.index_last is None:
            continue
        if record.index_first <= last:
            what = f"its rows start at index {record.index_first}, but {before} reaches {last}: rows are doubled"
            yield Problem(record.name, what, REMAKE)
        last, before = max(last, record.index_last), record.name


def _foreign(found: dict[str, int], records: list[PartRecord]) -> Iterator[Problem]:
    names = {record.name for record in records}
    for name in sorted(found):
        if name not in names and not name.startswith("."):
            kind = "a part of another table or cut" if parse_part_name(name) else "not a part"
            yield Problem(name, f"is not in the manifest ({kind}): readers would open it", "move it elsewhere")


def _part_problems(
    path: Path, record: PartRecord, manifest: dict[str, Any], layout: Layout | None
) -> Iterator[Problem]:
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if sha256 != record.sha256:
        what = f"its sha256 is {sha256[:12]}..., {record.sha256[:12]}... was written: changed or damaged"
        yield Problem(record.name, what, REMAKE)
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as part:
            try:
                schema = from_arrow(part.schema_arrow)
            except SchemaError as error:
                yield Problem(record.name, f"is of another schema: {error}", REMAKE)
                return
            if _columns(manifests.schema_card(schema)) != _columns(manifest["schema"]):
                what = f"its columns are {schema.name}({', '.join(schema.arrow.names)}), not those of the table"
                yield Problem(record.name, what, REMAKE)
                return
            yield from _row_problems(part, schema, record, layout)
    except Exception as error:  # a damaged file can make a reader raise anything
        yield Problem(record.name, f"cannot be read ({one_line(error)})", REMAKE)


def _columns(card: Mapping[str, Any]) -> dict[str, Any]:
    """All of a schema's card but its version: tables of earlier versions are read, and are as good as ever."""
    return {name: value for name, value in card.items() if name != "version"}


def _row_problems(
    part: pq.ParquetFile, schema: TableSchema, record: PartRecord, layout: Layout | None
) -> Iterator[Problem]:
    rows = Succession(schema)
    for group in range(part.num_row_groups):
        where = f"row group {group} of {part.num_row_groups}"
        try:
            table = part.read_row_group(group)
            schema.validate(table)
            rows.add(table)
        except SchemaError as error:
            yield Problem(record.name, f"a row is not valid: {error}", REMAKE, where)
            return
        except Exception as error:
            yield Problem(record.name, f"cannot be read ({one_line(error)})", REMAKE, where)
            return
    first, last = rows.first, rows.last
    if (rows.rows, first, last) != (record.rows, record.index_first, record.index_last):
        what = f"holds {rows.rows} rows, index {first} to {last}; the manifest says {record.rows}, "
        yield Problem(record.name, f"{what}{record.index_first} to {record.index_last}", REMAKE)
    elif rows.indices != record.indices:
        yield Problem(record.name, f"has {rows.indices} indices; the manifest says {record.indices}", REMAKE)
    if layout is not None and first is not None and last is not None:
        planned = layout.indices(record.shard)
        if first < planned.start or last >= planned.stop:
            what = f"its index {first} to {last} is outside of its shard, {planned.start} to {planned.stop - 1}"
            yield Problem(record.name, what, REMAKE)
