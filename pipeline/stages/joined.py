"""Scores of the rows of latents, joined on index from labels: tables, or files of one's own.

Shapes: N rows that every table has, A attributes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

import schemas
from pipeline.engine import owner
from pipeline.engine.fingerprint import differences
from pipeline.errors import SpecError
from pipeline.stages.source import Indices, Latents, check_kind, indices_of, names_of
from pipeline.tables import Table, store
from pipeline.tables.label_files import INDEX, LabelFile, is_label_file, read_labels
from schemas.labels import MEASURES

Labels = Table | LabelFile
Pieces = tuple[Labels, ...]
"""Labels of the same attributes and of different rows."""
NAMED = 3
"""Missing rows that a message names."""


def open_labels(url: str) -> Labels:
    """A labels table, sealed, or a CSV, TSV or Parquet file of one's own.

    Raises:
        SpecError: as `read_labels`.
        StoreError: the table is not there, or not complete, or the file cannot be read.
    """
    if is_label_file(url):
        return read_labels(url)
    table = Table.open(url)
    table.require_sealed()
    return table


@dataclass(frozen=True, eq=False)
class Joined:
    """index (N,), scores (N, A), who scored each attribute, and what was left out, a sentence each."""

    index: Indices
    attributes: tuple[str, ...]
    scores: NDArray[np.float32]
    classifiers: tuple[str | None, ...]
    notes: tuple[str, ...]


def join(latents: Latents, labels: Sequence[Labels], attributes: Sequence[str]) -> Joined:
    """The scores of these attributes (all, where none is named) of the rows that latents and labels have.

    Labels that have an attribute in common and no row are pieces of one. A file of one's own may lack rows, and labels
    of some: these rows are left out.

    Raises:
        SpecError: a table that does not hold labels, or those of other latents; an attribute that none has, that two
            have of the same rows, or that is named twice; a row that one table lacks without having rejected it; or a
            row of a file that is none of the latents.
        StoreError: a table is not there, or not complete.
    """
    for table in labels:
        if isinstance(table, Table):
            check_labels(table, latents)
    names = tuple(attributes) or tuple(dict.fromkeys(name for table in labels for name in scores_of(table)))
    if twice := [name for name in names if names.count(name) > 1]:
        raise SpecError(f"attribute {twice[0]!r} is named twice")
    where = {name: _pieces(name, labels) for name in names}
    used = {pieces: [name for name in names if where[name] == pieces] for pieces in dict.fromkeys(where.values())}
    tables = [_Group.of_tables(pieces) for pieces in used if isinstance(pieces[0], Table)]
    kept, notes = _common([_Group(latents.tables, latents.all_indices, latents.url), *tables])
    for pieces, its in used.items():
        if isinstance(pieces[0], LabelFile):
            kept, more = _labelled(_stacked(pieces, its), its, kept, latents)
            notes = (*notes, *more)
    if latents.chosen is not None:
        kept = np.intersect1d(kept, latents.chosen, assume_unique=True)
        if not len(kept):
            raise SpecError("no chosen row has all these labels: choose among the rows that have")
    columns = np.empty((len(kept), len(names)), dtype=np.float32)
    for pieces, its in used.items():
        index = np.concatenate([index_of(piece) for piece in pieces])
        order = np.argsort(index)
        places = order[np.searchsorted(index[order], kept)]
        found = [_read(piece, its) for piece in pieces]
        for name in its:
            columns[:, names.index(name)] = np.concatenate([one[name] for one in found])[places]
    return Joined(kept, names, columns, tuple(classifier_of(where[name][0]) for name in names), notes)


@dataclass(frozen=True, eq=False)
class _Group:
    """Tables that hold the same columns of different rows, the rows of all of them, rising, and their name."""

    tables: tuple[Table, ...]
    index: Indices
    url: str

    @classmethod
    def of_tables(cls, pieces: Pieces) -> "_Group":
        tables = tuple(piece for piece in pieces if isinstance(piece, Table))
        index = np.sort(np.concatenate([index_of(table) for table in tables]))
        return cls(tables, index, names_of(tables))

    def excused(self) -> tuple[Indices, bool]:
        """The rows that the tables' jobs rejected, and whether one of them was made of chosen rows alone."""
        rejected = np.unique(np.concatenate([_rejected(table) for table in self.tables]))
        partly = any("chosen" in table.require_sealed()["facts"].get("spec", {}) for table in self.tables)
        return rejected, partly


def scores_of(labels: Labels) -> list[str]:
    """The columns that are scores: not the row number, nor, of a labels table, what has a unit of its own."""
    if isinstance(labels, LabelFile):
        return list(labels.columns)
    return [name for name in labels.schema.arrow.names if name not in (INDEX, *MEASURES)]


def label_columns(labels: Labels) -> dict[str, NDArray[np.floating]]:
    """All columns but the row number, those with units of their own too; (N,) by name."""
    return _read(labels, _columns(labels))


def _labelled(own: LabelFile, names: Sequence[str], kept: Indices, latents: Latents) -> tuple[Indices, tuple[str, ...]]:
    """The rows of `kept` that a file of one's own labels, in each of these columns; what was left out, in sentences."""
    there = latents.all_indices
    foreign = np.setdiff1d(own.index, there, assume_unique=True)
    rejected = np.concatenate([_rejected(table) for table in latents.tables])
    unexplained = np.setdiff1d(foreign, rejected)
    if len(unexplained):
        raise SpecError(
            f"{own.url} labels {_some(unexplained)}, and {latents.url} has {_span(there)}: give the latents that were "
            "labelled"
        )
    empty_N = np.zeros(len(own.index), dtype=bool)
    for name in names:
        empty_N |= np.isnan(own.columns[name])
    full = np.intersect1d(kept, own.index[~empty_N], assume_unique=True)
    if not len(full):
        raise SpecError(f"{own.url} has no row with all of {', '.join(names)}: pass --attributes, one at a time")
    notes = [f"{own.url} labels {len(full):,} of {len(kept):,} rows: the others are left out"]
    if empty_N.any() and len(names) > 1:
        notes.append(
            f"{own.url} lacks some of {', '.join(names)} in {empty_N.sum():,} rows, which are left out: --attributes "
            "with one of them takes every row that has it"
        )
    return full, tuple(notes) if len(full) < len(kept) else ()


def _stacked(pieces: Pieces, names: Sequence[str]) -> LabelFile:
    """Files of one's own as one."""
    files = [piece for piece in pieces if isinstance(piece, LabelFile)]
    if len(files) == 1:
        return files[0]
    index = np.concatenate([file.index for file in files])
    order = np.argsort(index)
    columns = {name: np.concatenate([file.columns[name] for file in files])[order] for name in names}
    return LabelFile(" and ".join(file.url for file in files), index[order], columns, {}, "")


def _read(labels: Labels, names: Sequence[str]) -> dict[str, NDArray[np.floating]]:
    if isinstance(labels, LabelFile):
        return {name: labels.columns[name] for name in names}
    rows = labels.read(columns=list(names))
    return {name: schemas.to_numpy(rows[name]) for name in names}


def classifier_of(labels: Labels) -> str | None:
    """Who scored them; None where people did."""
    if isinstance(labels, LabelFile):
        return None
    found: str | None = labels.require_sealed()["facts"].get("resolved", {}).get("classifiers_digest")
    return found


def check_labels(table: Table, latents: Latents) -> None:
    """Raise SpecError where the table is not one of labels, or says that it is of other latents."""
    check_kind(table, "labels")
    facts = table.require_sealed()["facts"]
    scored = facts.get("resolved", {}).get("latents_digest")
    if scored is not None:
        if scored not in {latents.digest, *(one.digest for one in latents.tables)}:
            raise SpecError(
                f"{table.url} has the labels of other latents (manifest {scored[:12]}) than {latents.url} "
                f"({latents.digest[:12]}): give the latents that were labelled, or label these"
            )
        return
    apart = [differences(_sampled(facts), _sampled(theirs)) for theirs in latents.facts]
    labelled = index_of(table)
    for latents_table, different in zip(latents.tables, apart, strict=True):
        if different and (all(apart) or len(np.intersect1d(labelled, index_of(latents_table), assume_unique=True))):
            raise SpecError(
                f"{table.url} has the labels of other faces than {latents_table.url} ({'; '.join(different)}): give "
                "the two tables of one job, or label these latents"
            )


def _sampled(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What decides the faces of a job that samples its own; nothing where it does not say."""
    asked = facts.get("spec", {})
    return {name: asked[name] for name in ("seed", "psi", "cutoff", "generator") if name in asked}


def _pieces(name: str, labels: Sequence[Labels]) -> Pieces:
    """Those that have labels of this name: one, or several of different rows by the same classifiers."""
    having = tuple(table for table in labels if name in _columns(table))
    if not having:
        for own in labels:
            if isinstance(own, LabelFile) and name in own.text:
                raise SpecError(
                    f"{own.url}: {name} holds text ({own.text[name]}): write 1 where a face has it and 0 where not"
                )
        known = dict.fromkeys(column for table in labels for column in _columns(table))
        raise SpecError(f"no labels of {name!r}; the tables have {', '.join(known)}")
    for first, second in combinations(having, 2):
        if len(np.intersect1d(index_of(first), index_of(second), assume_unique=True)):
            raise SpecError(f"{first.url} and {second.url} both have labels of {name!r}: give one of them")
        if type(first) is not type(second) or classifier_of(first) != classifier_of(second):
            raise SpecError(f"{first.url} and {second.url} have labels of {name!r} by different classifiers")
    return having


def _columns(labels: Labels) -> list[str]:
    if isinstance(labels, LabelFile):
        return list(labels.columns)
    return [name for name in labels.schema.arrow.names if name != INDEX]


def index_of(labels: Labels) -> Indices:
    """(N,) row numbers, rising."""
    if isinstance(labels, LabelFile):
        return labels.index
    return indices_of(labels)


def _common(groups: Sequence[_Group]) -> tuple[Indices, tuple[str, ...]]:
    """The rows that all have. A row that one lacks must be among the rejects of the job that made it, or among those
    that were not chosen for it.
    """
    kept, everything = groups[0].index, groups[0].index
    for group in groups[1:]:
        kept = np.intersect1d(kept, group.index, assume_unique=True)
        everything = np.union1d(everything, group.index)
    if not len(kept):
        spans = "; ".join(f"{group.url} has {_span(group.index)}" for group in groups)
        raise SpecError(f"no row is in every table: {spans}; give labels of these latents")
    notes = []
    for group in groups:
        lacking = np.setdiff1d(everything, group.index, assume_unique=True)
        if not len(lacking):
            continue
        rejected, partly = group.excused()
        unexplained = np.setdiff1d(lacking, rejected, assume_unique=True)
        if len(unexplained) and not partly:
            raise SpecError(
                f"{group.url} lacks {_some(unexplained)} of the other tables, and they were not rejected when it was "
                "made: give tables of the same rows"
            )
        why = "not chosen or rejected" if len(unexplained) else "rejected"
        notes.append(f"{group.url} lacks {_some(lacking)}, {why} when it was made: left out")
    return kept, tuple(notes)


def _rejected(table: Table) -> Indices:
    """The rows that the table's job rejected; none where no job made it."""
    found = owner.owner(table)
    if found is None:
        return np.empty(0, dtype=np.int64)
    rejects = Table(store.join(store.parent(table.url), "rejects", found["verb"]))
    return index_of(rejects) if rejects.manifest() is not None else np.empty(0, dtype=np.int64)


def _some(rows: Indices) -> str:
    first = ", ".join(map(str, rows[:NAMED]))
    return f"row {first}" if len(rows) == 1 else f"{len(rows):,} rows ({first}{', ...' if len(rows) > NAMED else ''})"


def _span(index: Indices) -> str:
    return f"rows {index[0]} to {index[-1]}" if len(index) else "no rows"
