"""Scores of the rows of a latents table, joined on index from labels: tables, or files of one's own.

Shapes: N rows that every table has, A attributes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import schemas
from pipeline.engine import owner
from pipeline.engine.fingerprint import differences
from pipeline.errors import SpecError
from pipeline.stages.own_labels import INDEX, OwnLabels
from pipeline.tables import Table, store
from schemas.labels import MEASURES

Indices = NDArray[np.int64]
Labels = Table | OwnLabels
NAMED = 3
"""Missing rows that a message names."""


@dataclass(frozen=True, eq=False)
class Joined:
    """index (N,), scores (N, A), who scored each attribute, and what was left out, a sentence each."""

    index: Indices
    attributes: tuple[str, ...]
    scores: NDArray[np.float32]
    classifiers: tuple[str | None, ...]
    notes: tuple[str, ...]


def join(latents: Table, labels: Sequence[Labels], attributes: Sequence[str]) -> Joined:
    """The scores of these attributes (all, where none is named) of the rows that latents and labels have.

    A file of one's own may lack rows, and labels of some: these rows are left out.

    Raises:
        SpecError: a table that does not hold labels, or those of other latents; an attribute that none has, that two
            have, or that is named twice; a row that one table lacks without having rejected it; or a row of a file that
            is none of the latents.
        StoreError: a table is not there, or not complete.
    """
    for table in labels:
        if isinstance(table, Table):
            _check(table, latents)
    names = tuple(attributes) or tuple(name for table in labels for name in scores_of(table))
    if twice := [name for name in names if names.count(name) > 1]:
        raise SpecError(f"attribute {twice[0]!r} is named twice")
    where = [_only_table(name, labels) for name in names]
    used = list(dict.fromkeys(where))
    tables = [latents, *(table for table in used if isinstance(table, Table))]
    indices = [_index(table) for table in tables]
    kept, notes = _common(tables, indices)
    for own in used:
        if isinstance(own, OwnLabels):
            mine = [name for name, place in zip(names, where, strict=True) if place is own]
            kept, more = _labelled(own, mine, kept, indices[0], latents)
            notes = (*notes, *more)
    columns = np.empty((len(kept), len(names)), dtype=np.float32)
    for table in used:
        mine = [name for name, place in zip(names, where, strict=True) if place is table]
        places = np.searchsorted(_index(table), kept)
        for name, values in _read(table, mine).items():
            columns[:, names.index(name)] = values[places]
    return Joined(kept, names, columns, tuple(map(_classifier, where)), notes)


def scores_of(labels: Labels) -> list[str]:
    """The columns that are scores: not the row number, nor, of a labels table, what has a unit of its own."""
    if isinstance(labels, OwnLabels):
        return list(labels.columns)
    return [name for name in labels.schema.arrow.names if name not in (INDEX, *MEASURES)]


def _labelled(
    own: OwnLabels, names: Sequence[str], kept: Indices, there: Indices, latents: Table
) -> tuple[Indices, tuple[str, ...]]:
    """The rows of `kept` that a file of one's own labels, in each of these columns; what was left out, in sentences."""
    foreign = np.setdiff1d(own.index, there, assume_unique=True)
    unexplained = np.setdiff1d(foreign, _rejected(latents), assume_unique=True)
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


def _read(labels: Labels, names: Sequence[str]) -> dict[str, NDArray[np.floating]]:
    if isinstance(labels, OwnLabels):
        return {name: labels.columns[name] for name in names}
    rows = labels.read(columns=list(names))
    return {name: schemas.to_numpy(rows[name]) for name in names}


def _classifier(labels: Labels) -> str | None:
    """Who scored them; None where people did."""
    if isinstance(labels, OwnLabels):
        return None
    found: str | None = labels.require_sealed()["facts"].get("resolved", {}).get("classifiers_digest")
    return found


def _check(table: Table, latents: Table) -> None:
    """Raise SpecError where the table is not one of labels, or says that it is of other latents."""
    if table.schema.name != "labels":
        raise SpecError(f"{table.url} is a table of {table.schema.name}, not of labels")
    facts, theirs = table.require_sealed()["facts"], latents.require_sealed()["facts"]
    scored = facts.get("resolved", {}).get("latents_digest")
    if scored is not None and scored != latents.digest:
        raise SpecError(
            f"{table.url} has the labels of other latents (manifest {scored[:12]}) than {latents.url} "
            f"({latents.digest[:12]}): give the latents that were labelled, or label these"
        )
    if scored is None and (apart := differences(_sampled(facts), _sampled(theirs))):
        raise SpecError(
            f"{table.url} has the labels of other faces than {latents.url} ({'; '.join(apart)}): give the two tables "
            "of one job, or label these latents"
        )


def _sampled(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What decides the faces of a job that samples its own; nothing where it does not say."""
    asked = facts.get("spec", {})
    return {name: asked[name] for name in ("seed", "psi", "cutoff", "generator") if name in asked}


def _only_table(name: str, labels: Sequence[Labels]) -> Labels:
    having = [table for table in labels if name in _columns(table)]
    if not having:
        for own in labels:
            if isinstance(own, OwnLabels) and name in own.text:
                raise SpecError(
                    f"{own.url}: {name} holds text ({own.text[name]}): write 1 where a face has it and 0 where not"
                )
        known = dict.fromkeys(column for table in labels for column in _columns(table))
        raise SpecError(f"no labels of {name!r}; the tables have {', '.join(known)}")
    if len(having) > 1:
        raise SpecError(f"{having[0].url} and {having[1].url} both have labels of {name!r}: give one of them")
    return having[0]


def _columns(labels: Labels) -> list[str]:
    if isinstance(labels, OwnLabels):
        return list(labels.columns)
    return [name for name in labels.schema.arrow.names if name != INDEX]


def _index(table: Labels) -> Indices:
    if isinstance(table, OwnLabels):
        return table.index
    return schemas.to_numpy(table.read(columns=["index"])["index"]).astype(np.int64)


def _common(tables: Sequence[Table], indices: Sequence[Indices]) -> tuple[Indices, tuple[str, ...]]:
    """The rows that all tables have. A row that one lacks must be among the rejects of the job that made it."""
    kept, everything = indices[0], indices[0]
    for index in indices[1:]:
        kept = np.intersect1d(kept, index, assume_unique=True)
        everything = np.union1d(everything, index)
    if not len(kept):
        spans = "; ".join(f"{table.url} has {_span(index)}" for table, index in zip(tables, indices, strict=True))
        raise SpecError(f"no row is in every table: {spans}; give labels of these latents")
    notes = []
    for table, index in zip(tables, indices, strict=True):
        lacking = np.setdiff1d(everything, index, assume_unique=True)
        if not len(lacking):
            continue
        unexplained = np.setdiff1d(lacking, _rejected(table), assume_unique=True)
        if len(unexplained):
            raise SpecError(
                f"{table.url} lacks {_some(unexplained)} of the other tables, and they were not rejected when it was "
                "made: give tables of the same rows"
            )
        notes.append(f"{table.url} lacks {_some(lacking)}, rejected when it was made: left out")
    return kept, tuple(notes)


def _rejected(table: Table) -> Indices:
    """The rows that the table's job set aside; none where no job made it."""
    found = owner.owner(table)
    if found is None:
        return np.empty(0, dtype=np.int64)
    above = table.url.rsplit("/", 1)[0]
    rejects = Table(store.join(above, "rejects", found["verb"]))
    return _index(rejects) if rejects.manifest() is not None else np.empty(0, dtype=np.int64)


def _some(rows: Indices) -> str:
    first = ", ".join(map(str, rows[:NAMED]))
    return f"row {first}" if len(rows) == 1 else f"{len(rows):,} rows ({first}{', ...' if len(rows) > NAMED else ''})"


def _span(index: Indices) -> str:
    return f"rows {index[0]} to {index[-1]}" if len(index) else "no rows"
