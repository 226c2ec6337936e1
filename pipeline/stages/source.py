"""The rows that stages read: those of one latents table or of several, all of them or chosen ones, as if of one table.

Shapes: N rows.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

import schemas
from pipeline.engine.layout import cut_chosen
from pipeline.errors import SpecError
from pipeline.models.codes import Space
from pipeline.tables import Layout, Table, store
from schemas import TableSchema

Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Latents:
    """tables: sealed, of one generator, no index in two of them. chosen: rising indices, all of which are there; None
    where all rows are meant. It is sent to workers without the manifests.
    """

    tables: tuple[Table, ...]
    chosen: Indices | None = None

    @classmethod
    def open(cls, urls: Sequence[str]) -> "Latents":
        """All rows of these tables.

        Raises:
            SpecError: one does not hold latents; two hold the same row, or rows of another form.
            StoreError: one is not there, or not complete.
        """
        tables = open_tables(urls, "latents")
        for table in tables:
            _check_form(tables[0], table)
        for first, second in combinations(tables, 2):
            _check_disjoint(first, second)
        return cls(tables)

    def only(self, indices: Indices) -> "Latents":
        """These rows, of those that are there."""
        kept = np.unique(indices) if self.chosen is None else np.intersect1d(self.chosen, indices)
        return replace(self, chosen=kept)

    @property
    def url(self) -> str:
        """For messages."""
        return names_of(self.tables)

    @property
    def schema(self) -> TableSchema:
        """Columns that every table has; z is one of them where all keep it."""
        found = [table.schema for table in self.tables]
        return next((schema for schema in found if "z" not in schema.arrow.names), found[0])

    @property
    def kept_space(self) -> Space:
        """The space whose codes the tables keep: w, or w+."""
        return "w" if "w" in self.schema.arrow.names else "w+"

    @property
    def digest(self) -> str:
        """sha256 of the table's manifest; of several, of all their digests, in whatever order they were named."""
        return digest_of(self.tables)

    @property
    def facts(self) -> list[dict[str, Any]]:
        """What each table's manifest says of how it was made."""
        return [table.require_sealed()["facts"] for table in self.tables]

    @cached_property
    def all_indices(self) -> Indices:
        """(N,) of all rows of the tables, rising, also of those that are not chosen."""
        return np.sort(np.concatenate([indices_of(table) for table in self.tables]))

    @property
    def indices(self) -> Indices:
        """(N,), rising."""
        return self.all_indices if self.chosen is None else self.chosen

    @property
    def size(self) -> tuple[int, int | None]:
        """How many rows; and in how many shards the table has them, None where `lay_out` cuts them anew."""
        if len(self.tables) > 1 or self.chosen is not None:
            return len(self.indices), None
        layout = self.tables[0].layout
        return (layout.rows, layout.shards) if layout else (0, None)

    @property
    def choice(self) -> dict[str, Any]:
        """What a spec says of the chosen rows: nothing, or how many and the digest of which."""
        if self.chosen is None:
            return {}
        digest = hashlib.sha256(self.chosen.astype("<i8").tobytes()).hexdigest()
        return {"chosen": {"rows": len(self.chosen), "sha256": digest}}

    def lay_out(self, rows_per_shard: int, batch_size: int) -> tuple[Layout, list[int]]:
        """How a job over these rows is cut, and how many of them each shard has: as the table itself, or by the rows.

        Raises:
            SpecError: as `cut_chosen`, or the table does not say how it is cut.
        """
        if len(self.tables) > 1 or self.chosen is not None:
            return cut_chosen(self.indices, rows_per_shard, batch_size)
        [table] = self.tables
        if table.layout is None:
            raise SpecError(f"{table.url} does not say how its rows are cut into parts; sample it again")
        return table.layout, [record.rows for record in table.records()]

    def read(self, columns: Sequence[str], first: int = 0, stop: int = 2**63 - 1) -> pa.Table:
        """The rows with an index in [first, stop), in order; `index` is among the columns."""
        return pa.concat_tables([self._empty(columns), *self.pieces(columns, first, stop)])

    def head(self, columns: Sequence[str], rows: int) -> pa.Table:
        """The first rows, as many as there are up to this number; as `read`."""
        pieces: list[pa.Table] = []
        for batch in self.batches(columns, rows=rows):
            pieces.append(pa.Table.from_batches([batch]))
            if sum(map(len, pieces)) >= rows:
                break
        return pa.concat_tables([self._empty(columns), *pieces]).slice(0, rows)

    def pieces(self, columns: Sequence[str], first: int = 0, stop: int = 2**63 - 1) -> Iterator[pa.Table]:
        """The same rows, those of a part at a time; of several, where tables hold rows between each other's."""
        for parts in self._parts(first, stop):
            rows = [self._some(table.read(columns, [shard]), first, stop) for table, shard in parts]
            found = rows[0] if len(rows) == 1 else pa.concat_tables(rows).sort_by("index")
            if found.num_rows:
                yield found

    def batches(
        self, columns: Sequence[str], first: int = 0, stop: int = 2**63 - 1, rows: int = 1024
    ) -> Iterator[pa.RecordBatch]:
        """The same rows, about as many at a time."""
        for parts in self._parts(first, stop):
            if len(parts) == 1:
                [(table, shard)] = parts
                for batch in table.batches(columns, [shard], rows):
                    if len(some := self._some(batch, first, stop)):
                        yield some
            else:
                together = [self._some(table.read(columns, [shard]), first, stop) for table, shard in parts]
                yield from pa.concat_tables(together).sort_by("index").combine_chunks().to_batches(rows)

    def _empty(self, columns: Sequence[str]) -> pa.Table:
        return pa.schema([self.schema.arrow.field(name) for name in columns]).empty_table()

    def _parts(self, first: int, stop: int) -> Iterator[list[tuple[Table, int]]]:
        """The parts that may hold these rows: one at a time, in order; together those that may lie between each
        other."""
        found = [
            (span.start, span.stop, number, shard)
            for number, table in enumerate(self.tables)
            for shard, span in _spans(table, first, stop)
            if self._chosen_in(max(first, span.start), min(stop, span.stop))
        ]
        together: list[tuple[Table, int]] = []
        reached = 0
        for start, end, number, shard in sorted(found):
            if together and start >= reached:
                yield together
                together = []
            together.append((self.tables[number], shard))
            reached = max(reached, end)
        if together:
            yield together

    def _chosen_in(self, first: int, stop: int) -> bool:
        if self.chosen is None:
            return True
        places = np.searchsorted(self.chosen, [first, stop])
        return bool(places[0] < places[1])

    def _some(self, rows: Any, first: int, stop: int) -> Any:
        index = _numbers(rows)
        wanted = (index >= first) & (index < stop)
        if self.chosen is not None:
            places = np.searchsorted(self.chosen, index).clip(max=len(self.chosen) - 1)
            wanted &= self.chosen[places] == index
        return rows if wanted.all() else rows.filter(pa.array(wanted))

    def __reduce__(self) -> tuple[Any, ...]:
        light = tuple((table.url, table.schema, table.layout) for table in self.tables)
        return _reopened, (light, self.chosen)


def open_tables(urls: Sequence[str], kind: str) -> tuple[Table, ...]:
    """Sealed tables of one kind, which the flag of that name names.

    Raises:
        SpecError: one is a table of something else, or is named twice.
        StoreError: one is not there, or not complete.
    """
    if len({url.rstrip("/") for url in urls}) < len(urls):
        raise SpecError(f"--{kind} names a table twice")
    tables = tuple(map(Table.open, urls))
    for table in tables:
        table.require_sealed()
        check_kind(table, kind)
    return tables


def check_kind(table: Table, kind: str) -> None:
    """Raise SpecError where it is a table of something else."""
    if table.schema.name != kind:
        raise SpecError(f"{table.url} is a table of {table.schema.name}, not of {kind}")


def names_of(tables: Sequence[Table]) -> str:
    """For messages."""
    return " and ".join(table.url for table in tables)


def indices_of(table: Table) -> Indices:
    """(N,) of its rows, rising."""
    return _numbers(table.read(columns=["index"]))


def digest_of(tables: Sequence[Table]) -> str:
    """Of one table its digest; of several one of all of theirs, in whatever order."""
    return combined_digest([table.digest for table in tables])


def combined_digest(digests: Sequence[str], in_order: bool = False) -> str:
    """Of tables with these digests, as `digest_of`; `in_order`: in another order they have another."""
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256(store.canonical_json(list(digests) if in_order else sorted(digests))).hexdigest()


def _reopened(light: Sequence[tuple[str, TableSchema, Layout | None]], chosen: Indices | None) -> Latents:
    return Latents(tuple(Table(*known) for known in light), chosen)


def _spans(table: Table, first: int, stop: int) -> Iterator[tuple[int, range]]:
    """The parts that may hold rows of [first, stop), and the range in which each has its rows."""
    if table.layout is not None:
        for shard in table.layout.holding(first, stop):
            yield shard, table.layout.indices(shard)
        return
    for record in table.records():
        if record.index_first is not None and record.index_last is not None:
            span = range(record.index_first, record.index_last + 1)
            if span.start < stop and first < span.stop:
                yield record.shard, span


def _numbers(rows: pa.Table | pa.RecordBatch) -> Indices:
    return schemas.to_numpy(rows["index"]).astype(np.int64, copy=False)


def _check_form(first: Table, other: Table) -> None:
    """Raise SpecError where two tables do not keep their rows alike."""
    kept = [{name: table.schema.arrow.field(name).type for name in ("w", "ws") if name in table.schema.arrow.names}
            for table in (first, other)]  # fmt: skip
    if kept[0] != kept[1]:
        (mine, of_mine), (theirs, of_theirs) = (next(iter(one.items())) for one in kept)
        raise SpecError(
            f"{first.url} keeps {mine} ({of_mine}) and {other.url} {theirs} ({of_theirs}): tables that go together are "
            "of one form"
        )


def _check_disjoint(first: Table, second: Table) -> None:
    """Raise SpecError where two tables hold the same row. What the manifests say of the parts is looked at first."""
    spans = [_whole_span(table) for table in (first, second)]
    if not all(spans) or spans[0].start >= spans[1].stop or spans[1].start >= spans[0].stop:
        return
    shared = np.intersect1d(indices_of(first), indices_of(second), assume_unique=True)
    if len(shared):
        more = "" if len(shared) == 1 else f" and {len(shared) - 1:,} more"
        raise SpecError(
            f"{first.url} and {second.url} both hold row {shared[0]}{more}: tables that go together have no row number "
            "in common (make further rows with --range, number imported ones with --first)"
        )


def _whole_span(table: Table) -> range:
    records = [record for record in table.records() if record.index_first is not None and record.index_last is not None]
    firsts = [record.index_first for record in records if record.index_first is not None]
    lasts = [record.index_last for record in records if record.index_last is not None]
    return range(min(firsts), max(lasts) + 1) if records else range(0)
