"""Checks that a table is whole: every part is compared with the manifest, which was written last.

Shallow: names and sizes, from one listing. Deep: also digests, page checksums, schema, and every value's validity.
A damaged file is a finding, never an exception, and so is a part that cannot be read from here, which may be whole.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import Damaged, StoreError
from pipeline.tables import manifest as manifests
from pipeline.tables import reader, store
from pipeline.tables.inspection import digest_of
from pipeline.tables.parts import Layout, PartRecord, parse_part_name
from pipeline.tables.retries import is_transient
from pipeline.tables.row_order import RowOrder
from pipeline.tables.store_errors import one_line
from schemas import SchemaError, from_arrow

REMAKE = "delete it and run the command that makes the table again"
FINISH = "run the command that makes the table again"
AS_WRITTEN = (
    "its bytes are those that were written: verify it with the stylemill that wrote it; delete it only to have it made "
    "again"
)
ELSEWHERE = "it may be whole: verify it again from where it can be read"
OUTAGE = 2
"""Parts in a row that a remote store fails to give, after which no further one is asked for."""


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: in which part (a file name), where in it, what, and what to do next."""

    part: str
    what: str
    next_step: str
    where: str = ""
    damaged: bool = False
    """Whether the part was read and its bytes are not those that were written."""

    def __str__(self) -> str:
        place = f"{self.part}, {self.where}" if self.where else self.part
        return f"{place}: {self.what}: {self.next_step}"


def verify(table_url: str, deep: bool = True) -> list[Problem]:
    """All that is wrong with a table; an empty list where it is whole.

    Raises StoreError where the manifest or the listing of the table cannot be read.
    """
    file = f"{manifests.FOLDER}/{manifests.FILE}"
    url = manifests.manifest_url(table_url)
    content = store.read_bytes(url)
    if content is None:
        return [Problem(file, "is missing: the table is not complete", FINISH)]
    try:
        manifest = manifests.parse(content, url)
    except StoreError as error:
        why = str(error).removeprefix(f"{url} ").removesuffix(f": {manifests.REMEDY}")
        return [Problem(file, why, manifests.REMEDY)]
    records, layout = manifests.records(manifest), manifests.layout(manifest)
    found = store.list_names(table_url)
    problems = [*_manifest_problems(file, manifest, records), *_foreign(found, records)]
    unchecked, failures = 0, 0
    for record in records:
        if record.name not in found:
            problems.append(Problem(record.name, "is missing", FINISH))
        elif found[record.name] != record.bytes:
            what = f"has {found[record.name]} bytes, {record.bytes} were written: torn or replaced"
            problems.append(Problem(record.name, what, REMAKE))
        if deep and record.name in found and failures == OUTAGE:
            unchecked += 1
        elif deep and record.name in found:
            try:
                problems += _part_problems(store.join(table_url, record.name), record, manifest, layout)
                failures = 0
            except StoreError as error:
                problems.append(unreadable(record.name, error))
                failures = failures + 1 if is_failing(table_url, error) else 0
    return [*problems, *([further(unchecked)] if unchecked else [])]


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


def is_failing(url: str, error: StoreError) -> bool:
    """Whether a remote store still failed after all retries, which take seconds (see `OUTAGE`)."""
    return store.local_path(url) is None and error.__cause__ is not None and is_transient(error.__cause__)


def further(parts: int) -> Problem:
    """The finding that so many more parts were not read because the store fails."""
    return Problem(f"{parts:,} more part{'' if parts == 1 else 's'}", "not checked: the store fails", ELSEWHERE)


def unreadable(part: str, error: StoreError) -> Problem:
    """The finding that a part cannot be read from here; it may be whole."""
    return Problem(part, f"is not checked: {one_line(error)}", ELSEWHERE)


def _part_problems(url: str, record: PartRecord, manifest: dict[str, Any], layout: Layout | None) -> Iterator[Problem]:
    """What is wrong with a part. Raises StoreError where it cannot be read from here."""
    with store.local_copy(url) as path:
        sha256 = digest_of(path, url)
        changed = sha256 != record.sha256
        if changed:
            what = f"its sha256 is {sha256[:12]}..., {record.sha256[:12]}... was written: changed or damaged"
            yield Problem(record.name, what, REMAKE, damaged=True)
        for what, where in _amiss(path, url, record, manifest, layout):
            yield Problem(record.name, what, REMAKE if changed else AS_WRITTEN, where, changed)


def _columns(card: Mapping[str, Any]) -> dict[str, Any]:
    """All of a schema's card but its version: tables of earlier versions are read, and are as good as ever."""
    return {name: value for name, value in card.items() if name != "version"}


def _amiss(
    path: Path, url: str, record: PartRecord, manifest: dict[str, Any], layout: Layout | None
) -> list[tuple[str, str]]:
    """What is wrong within a part, and where in it. Raises StoreError where it cannot be read from here."""
    where = ""
    try:
        with reader.open_part(str(path), named=url) as part:
            schema = from_arrow(part.schema_arrow)
            if _columns(manifests.schema_card(schema)) != _columns(manifest["schema"]):
                return [(f"its columns are {schema.name}({', '.join(schema.arrow.names)}), not those of the table", "")]
            rows = RowOrder(schema)
            for group in range(part.num_row_groups):
                where = f"row group {group} of {part.num_row_groups}"
                table = part.read_row_group(group)
                schema.validate(table)
                rows.add(table)
    except SchemaError as error:
        return [(f"{'a row is not valid' if where else 'is of another schema'}: {error}", where)]
    except Damaged as error:
        return [(f"cannot be read ({one_line(error.__cause__ or error)})", where)]
    except StoreError:
        raise
    except Exception as error:  # a damaged file can make a reader raise anything
        return [(f"cannot be read ({one_line(error)})", where)]
    return [(what, "") for what in _other_rows(rows, record, layout)]


def _other_rows(rows: RowOrder, record: PartRecord, layout: Layout | None) -> Iterator[str]:
    """How the rows of a part differ from those on record, and from those of its shard."""
    first, last = rows.first, rows.last
    if (rows.rows, first, last) != (record.rows, record.index_first, record.index_last):
        yield (
            f"holds {rows.rows} rows, index {first} to {last}; the manifest says {record.rows}, "
            f"{record.index_first} to {record.index_last}"
        )
    elif rows.indices != record.indices:
        yield f"has {rows.indices} indices; the manifest says {record.indices}"
    if layout is not None and first is not None and last is not None:
        planned = layout.indices(record.shard)
        if first < planned.start or last >= planned.stop:
            yield f"its index {first} to {last} is outside of its shard, {planned.start} to {planned.stop - 1}"
