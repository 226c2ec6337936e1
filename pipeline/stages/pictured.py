"""A table of pictures, and all that is known of each: labels of the faces, or the edits and what was asked of them.

Shapes: N pictures.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.errors import SpecError
from pipeline.stages.choice import by_columns, check_of_same_faces, label_table
from pipeline.stages.joined import Labels
from pipeline.stages.source import check_kind
from pipeline.tables import Table, store
from pipeline.tables.manifest import is_made_by
from schemas import TableSchema

TABLES = ("images", "edit_images", "strips")
"""Tables of pictures, by the names that jobs give them."""
IMAGE = "image"
SOURCE = "source_"
"""What the labels of faces before they were edited begin with."""
FACE = "face"
"""The number of the face, in tables whose index counts something else."""
TOGETHER = 256
"""Faces whose pictures are read at once, at most."""
NOT_SHOWN = ("latent", "generator", "space")
"""Columns of edits that say the same of all rows, or too much of each."""
OF_REQUESTS = ("attribute", "target", "conditions")


@dataclass(frozen=True, eq=False)
class Pictured:
    """table: sealed, with pictures. labels: of the faces. edits, requests: beside a table of pictures of edits, sealed.
    chosen: places among all pictures, rising; None where all are meant.
    """

    table: Table
    schema: TableSchema
    labels: tuple[Labels, ...] = ()
    edits: Table | None = None
    requests: Table | None = None
    chosen: NDArray[np.int64] | None = None

    @property
    def key(self) -> tuple[str, ...]:
        """Columns that tell the pictures apart, `index` first."""
        return self.schema.key

    @cached_property
    def all_rows(self) -> pa.Table:
        """What is known of each picture, in the order of the table: its key, then labels, or the edit and its request.
        Labels are null where a face has none.

        Raises:
            SpecError: labels that cannot be told apart, or edits that are not those of the pictures.
            StoreError: a table cannot be read.
        """
        rows = self.table.read([name for name in self.schema.arrow.names if name != IMAGE])
        if self.edits is not None:
            rows = _with_edits(rows, self.edits, self.key)
        if self.requests is not None:
            rows = _with_requests(rows, self.requests)
        if not self.labels:
            return rows
        of_picture = rows[FACE if FACE in self.key else "index"].to_numpy()
        faces = np.unique(of_picture)
        labels = label_table(pa.table({"index": faces}), self.labels).drop_columns("index")
        prefix = SOURCE if len(self.key) > 1 else ""
        labels = labels.take(pa.array(np.searchsorted(faces, of_picture)))
        for name in labels.column_names:
            if prefix + name not in rows.column_names:
                rows = rows.append_column(prefix + name, labels[name])
        return rows

    @property
    def rows(self) -> pa.Table:
        """The same of the chosen pictures."""
        return self.all_rows if self.chosen is None else self.all_rows.take(pa.array(self.chosen))

    def with_labels(self, labels: Sequence[Labels]) -> "Pictured":
        """The same pictures, of which these labels are known too. Raises SpecError where one is no table of labels, or
        of other faces."""
        for table in labels:
            if isinstance(table, Table):
                check_kind(table, "labels")
        check_of_same_faces(self.table, labels)
        return replace(self, labels=tuple(labels))

    def only(self, where: str | None, top: tuple[int, str] | None) -> "Pictured":
        """The pictures of those that are chosen for which a condition holds. Raises as `by_columns`."""
        rows = self.rows
        return self._with_keys(by_columns(rows, self.table.url, where, top, self.key))

    def of_faces(self, indices: NDArray[np.int64]) -> "Pictured":
        """The pictures of those that are chosen of these faces."""
        places = np.arange(self.all_rows.num_rows) if self.chosen is None else self.chosen
        return replace(self, chosen=places[np.isin(self.all_rows["index"].to_numpy()[places], indices)])

    @property
    def tables(self) -> tuple[Table, ...]:
        """Of pictures: the one."""
        return (self.table,)

    @property
    def choice(self) -> dict[str, Any]:
        """What a spec says of the chosen pictures: nothing, or how many and the digest of which."""
        if self.chosen is None:
            return {}
        digest = hashlib.sha256(self.chosen.astype("<i8").tobytes()).hexdigest()
        return {"chosen": {"pictures": len(self.chosen), "sha256": digest}}

    @property
    def digests(self) -> dict[str, Any]:
        """Of all tables that it is read from."""
        tables = {"pictures": self.table, "edits": self.edits, "requests": self.requests}
        found: dict[str, Any] = {f"{name}_digest": table.digest for name, table in tables.items() if table is not None}
        return {**found, **({"labels_digests": [labels.digest for labels in self.labels]} if self.labels else {})}

    def read(self, first: int, stop: int) -> tuple[pa.Table, list[bytes]]:
        """The chosen pictures whose index is in [first, stop): what is known of them, and their bytes."""
        start, end = np.searchsorted(self.all_rows["index"].to_numpy(), [first, stop])
        chosen = np.arange(start, end)
        if self.chosen is not None:
            chosen = self.chosen[slice(*np.searchsorted(self.chosen, [start, end]))]
        found: list[bytes] = []
        for places in _near(self.all_rows["index"].to_numpy(), chosen):
            index = self.all_rows["index"].to_numpy()[places]
            pictures = self.table.read([IMAGE], indices=range(int(index[0]), int(index[-1]) + 1))[IMAGE]
            before = np.searchsorted(self.all_rows["index"].to_numpy(), index[0])
            found += [picture["bytes"] for picture in pictures.take(pa.array(places - before)).to_pylist()]
        return self.all_rows.take(pa.array(chosen)), found

    def _with_keys(self, keys: Sequence[NDArray[np.int64]]) -> "Pictured":
        there = pd.MultiIndex.from_arrays([self.all_rows[name].to_numpy() for name in self.key])
        return replace(self, chosen=np.sort(there.get_indexer(pd.MultiIndex.from_arrays(keys))))

    def __reduce__(self) -> tuple[Any, ...]:
        """For workers, which read the rows themselves: without these, and without manifests."""
        tables = [None if table is None else _bare(table) for table in (self.edits, self.requests)]
        labels = tuple(_bare(one) if isinstance(one, Table) else one for one in self.labels)
        return Pictured, (_bare(self.table), self.schema, labels, *tables, self.chosen)


def open_pictured(url: str) -> Pictured:
    """The pictures of a directory, or of the table itself; without labels.

    Raises:
        SpecError: there are no pictures, or several tables of them.
        StoreError: a table is not complete, or cannot be read.
    """
    table = _table_of(url)
    manifest = table.require_sealed()
    schema = table.schema
    edits = requests = None
    if schema.name == "edit_images":
        edits, requests = (_beside(table, name) for name in ("edits", "requests"))
        if edits is not None and edits.require_sealed()["fingerprint"] != manifest["fingerprint"]:
            raise SpecError(f"{edits.url} is not of the job that made {table.url}: run the edit command again")
        if requests is not None and not is_made_by(requests.require_sealed(), manifest["fingerprint"]):
            raise SpecError(f"{requests.url} is not of {table.url}: run the edit command again, which rewrites it")
    return Pictured(table, schema, edits=edits, requests=requests)


def _near(index: NDArray[np.int64], places: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Places of pictures, those together whose faces are less than `TOGETHER` apart, so that few others are read."""
    while len(places):
        count = int(np.searchsorted(index[places], index[places[0]] + TOGETHER))
        yield places[:count]
        places = places[count:]


def _table_of(url: str) -> Table:
    if Table(url).parts():
        table = Table(url)
        if IMAGE not in table.schema.arrow.names:
            raise SpecError(f"{url} is a table of {table.schema.name}, without pictures{_instead(table.schema.name)}")
        return table
    found = [table for name in TABLES if (table := Table(store.join(url, name))).parts()]
    if len(found) > 1:
        raise SpecError(
            f"{url} has several tables with pictures: name one of {', '.join(table.url for table in found)}"
        )
    if found:
        return found[0]
    others = [name for name in store.list_directories(url) if Table(store.join(url, name)).parts()]
    if not others:
        raise SpecError(f"{url} holds no table; check the path")
    hint = _instead(next((name for name in ("directions", "edits") if name in others), ""))
    raise SpecError(f"{url} has the tables {', '.join(others)}, and none with pictures{hint}")


def _instead(kind: str) -> str:
    if kind == "directions":
        return ": `stylemill directions export` writes directions as files"
    if kind == "edits":
        return ": make the edits with --images webp --size 256 --keep all, and another --out"
    return ": dataset, edit and directions strips make them (--images png, jpeg or webp)"


def _beside(table: Table, name: str) -> Table | None:
    other = Table(store.join(store.parent(table.url), name))
    return other if other.parts() else None


def _bare(table: Table) -> Table:
    return Table(table.url, table.schema, table.layout)


def _with_edits(rows: pa.Table, edits: Table, key: Sequence[str]) -> pa.Table:
    found = edits.read([name for name in edits.schema.arrow.names if name not in NOT_SHOWN])
    if found.select(list(key)) != rows.select(list(key)).cast(found.select(list(key)).schema):
        raise SpecError(f"{edits.url} has other rows than the pictures beside it: run the edit command again")
    return found


def _with_requests(rows: pa.Table, requests: Table) -> pa.Table:
    asked = requests.read(["index", *OF_REQUESTS]).to_pylist()
    by_number = {one["index"]: {**one, "conditions": " ".join(one["conditions"])} for one in asked}
    numbers = rows["request"].to_pylist()
    if missing := sorted(set(numbers) - by_number.keys()):
        raise SpecError(f"{requests.url} has no request {missing[0]}: run the edit command again, which rewrites it")
    for name in OF_REQUESTS:
        if name not in rows.column_names:
            rows = rows.append_column(name, pa.array([by_number[number][name] for number in numbers], pa.string()))
    return rows
