"""Which rows of latents are meant: by number, by a condition on their labels in SQL, or the highest by one of them.

DuckDB reads the conditions; it sees one table in memory, and no file.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

import schemas
from pipeline.engine import owner
from pipeline.engine.job_records import JobRecords
from pipeline.errors import SpecError
from pipeline.stages.joined import Labels, check_labels, classifier_of, index_of, label_columns
from pipeline.stages.source import Indices, Latents, combined_digest
from pipeline.tables import Table, store
from pipeline.tables.label_files import LabelFile

if TYPE_CHECKING:
    from duckdb import DuckDBPyRelation

OWN_COLUMNS = ("key", "psi", "seed")
"""Of the latents, besides the row number."""
CLOSED: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "threads": "1",
}


def by_number(there: Indices, wanted: Indices, where: str) -> Indices:
    """These rows, rising. Raises SpecError, naming the table, where one is not among those that are there."""
    missing = np.setdiff1d(wanted, there)
    if len(missing):
        span = f"{len(there):,} rows, {there[0]} to {there[-1]}" if len(there) else "no rows"
        raise SpecError(f"--index {missing[0]}: there is no such row; {where} has {span}")
    return np.unique(wanted)


def by_labels(rows: pa.Table, url: str, where: str | None, top: tuple[int, str] | None) -> Indices:
    """The indices of the rows that `by_columns` finds, rising. rows: as `label_table` gives them."""
    return np.unique(by_columns(rows, url, where, top)[0])


def by_columns(
    rows: pa.Table, url: str, where: str | None, top: tuple[int, str] | None, key: Sequence[str] = ("index",)
) -> list[Indices]:
    """The keys, column by column, of the rows for which `where` holds, and of these the `top` ones: how many, and by
    which column or expression, highest first, of equal ones the first. A row without a label meets no condition on it
    and is never among the top.

    key: columns of integers that tell the rows apart. url: what they are rows of.

    Raises:
        SpecError: the expression is not valid, speaks of columns that are not there, or no row meets it.
    """
    import duckdb  # here, since at the end of a process it complains of types that others have remembered

    with closing(duckdb.connect(":memory:", config=CLOSED)) as connection:
        found = connection.from_arrow(rows)
        if where is not None:
            found = _try("--where", where, rows, lambda: found.filter(_condition(found, where)))
        if top is not None:
            count, by = top
            order = ", ".join([f"({by}) desc", *key])
            found = _try("--top", by, rows, lambda: found.filter(f"({by}) is not null").order(order).limit(count))
        said = ("--where", where or "") if top is None else ("--top", top[1])
        keys = _try(*said, rows, lambda: found.project(", ".join(key)).fetchnumpy())
    found_keys = [np.asarray(keys[name], dtype=np.int64) for name in key]
    if not len(found_keys[0]):
        asked = " ".join(f"{flag} {what}" for flag, what in (("--where", where), ("--top", top and top[1])) if what)
        raise SpecError(f"{asked}: no row of the {rows.num_rows:,} of {url} satisfies this")
    return found_keys


def latents_table(latents: Latents, labels: Sequence[Labels]) -> pa.Table:
    """index, what latents say of their rows, and all labels; null where a row has none.

    Raises:
        SpecError: as `label_table`, or labels are of other latents.
    """
    names = [name for name in OWN_COLUMNS if all(name in table.schema.arrow.names for table in latents.tables)]
    for table in labels:
        if isinstance(table, Table):
            check_labels(table, latents)
    return label_table(latents.read(["index", *names]), labels)


def label_table(rows: pa.Table, labels: Sequence[Labels]) -> pa.Table:
    """Rows, which have an index, with all labels as further columns; null where a row has none. A column is of one
    maker and once for each row: that of a second table, of other classifiers or of the same rows, begins with its
    family.

    Raises:
        SpecError: two tables have labels of one name, of the same rows or by different makers, and nothing tells them
            apart.
    """
    index = schemas.to_numpy(rows["index"])
    columns: dict[str, NDArray[np.float64]] = {}
    makers: dict[str, tuple[type, str | None]] = {}
    for table in labels:
        places, kept = _places(index, table)
        maker = type(table), classifier_of(table)
        for name, values in label_columns(table).items():

            def is_free(called: str, maker: tuple[type, str | None] = maker, places: Indices = places) -> bool:
                if called not in columns:
                    return True
                return makers[called] == maker and bool(np.isnan(columns[called][places]).all())

            called = name if is_free(name) else f"{_family(table)}_{name}"
            if not is_free(called):
                raise SpecError(f"{table.url}: there are other labels of {name!r} already: give one of them")
            makers[called] = maker
            columns.setdefault(called, np.full(len(index), np.nan))[places] = values[kept]
    for name, column in columns.items():
        if name not in rows.column_names:
            rows = rows.append_column(name, pa.array(column, mask=np.isnan(column)))
    return rows


def check_of_same_faces(table: Table, labels: Sequence[Labels]) -> None:
    """Raise SpecError where labels say that they are of other latents than a table of latents, labels or edits."""
    tables = [one for one in labels if isinstance(one, Table)]
    wanted = _latents_digest(table)
    if wanted is None:
        return
    known = {digest: one for one in tables if (digest := _latents_digest(one)) not in (None, wanted)}
    if known and combined_digest([digest for digest in known if digest]) != wanted:
        digest, other = next(iter(known.items()))
        raise SpecError(
            f"{other.url} has the labels of other latents (manifest {str(digest)[:12]}) than {table.url} "
            f"({wanted[:12]}): give labels of its latents, of all tables where they are several"
        )


def _latents_digest(table: Table) -> str | None:
    """Of the latents that a table's rows are of: its own, those that its job read, or those that its job made beside
    it; None where there is none, or its job goes on.
    """
    sealed = table.manifest()
    if table.schema.name == "latents":
        return table.digest if sealed else None
    found = owner.owner(table)
    asked = (
        sealed["facts"]
        if sealed
        else (JobRecords(store.parent(table.url), found["verb"]).spec() or {})
        if found
        else {}
    )
    if (digest := asked.get("resolved", {}).get("latents_digest")) is not None:
        return str(digest)
    beside = Table(store.join(store.parent(table.url), "latents"))
    return beside.digest if beside.manifest() and owner.owner(beside) == found else None


def _places(index: Indices, labels: Labels) -> tuple[Indices, Indices]:
    """Where the rows of labels are among the latents, and which of the labels' rows these are."""
    _, places, kept = np.intersect1d(index, index_of(labels), assume_unique=True, return_indices=True)
    return places, kept


def _family(labels: Labels) -> str:
    """What the columns of a second table of the same attributes begin with."""
    facts: Mapping[str, Any] = {} if isinstance(labels, LabelFile) else labels.require_sealed()["facts"]
    family = facts.get("spec", {}).get("classifiers")
    if family is None:
        raise SpecError(f"{labels.url} has labels that another table has too: give one of the two")
    return str(family)


def _condition(rows: "DuckDBPyRelation", where: str) -> str:
    """`where`, which says yes or no of a row."""
    [type_] = rows.project(f"({where}) as it").types
    if str(type_) != "BOOLEAN":
        raise SpecError(f"--where {where}: this is a {str(type_).lower()} and no condition: write as in smile > 0")
    return where


def _try(flag: str, expression: str, rows: pa.Table, ask: Any) -> Any:
    """What DuckDB answers. Raises SpecError in a line."""
    import duckdb

    try:
        return ask()
    except duckdb.Error as error:
        what = str(error).splitlines()[0]
        raise SpecError(f"{flag} {expression}: {what}; the columns are {', '.join(rows.column_names)}") from error
