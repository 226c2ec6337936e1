"""The flags that choose rows of latents: --index, --where, --top."""

import re
from collections.abc import Sequence
from typing import Annotated

import numpy as np
import pyarrow as pa
import tyro
from pydantic import Field, field_validator

import schemas
from jobs.flags import Names, Spec
from pipeline.stages.choice import Indices, by_labels, by_number, check_of_same_faces, label_table, latents_table
from pipeline.stages.joined import Labels, open_labels
from pipeline.stages.source import Latents
from pipeline.tables import Table, store

Top = Annotated[
    str,
    tyro.constructors.PrimitiveConstructorSpec(
        nargs=2,
        metavar="N COLUMN",
        instance_from_str=" ".join,
        is_instance=lambda value: isinstance(value, str),
        str_from_instance=lambda value: list(value.partition(" ")[::2]) if value else [""],
    ),
]
"""How many, and by which column: `10 age_years`."""
CHOICE = ("index", "where", "top")


class RowChoice(Spec):
    """Jobs over some rows of latents. The chosen rows go into the fingerprint, not how they were chosen."""

    GROUP = "rows"

    index: Names = Field((), description="Only these rows, by number: 85,215 or 0:64,100.")
    where: str | None = Field(
        None,
        min_length=1,
        description="Only rows for which this SQL condition on their labels holds: 'smile > 0 and age_years > 60'.",
    )
    top: Top = Field(
        "",
        description="Of those, the N with the highest value of a column or expression: 10 age_years, 10 0-age_years.",
    )

    @field_validator("index")
    @classmethod
    def _are_rows(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        for word in words:
            found = re.fullmatch(r"(\d{1,18})(?::(\d{1,18}))?", word)
            if found is None or (found[2] is not None and int(found[1]) >= int(found[2])):
                raise ValueError(f"{word} is neither a row number nor FIRST:STOP with STOP above FIRST")
        return words

    @field_validator("top")
    @classmethod
    def _is_a_number_and_a_column(cls, text: str) -> str:
        number, _, by = text.partition(" ")
        if text and (not re.fullmatch(r"[1-9]\d{0,17}", number) or not by.strip()):
            raise ValueError("give how many, above 0, and a column of the labels: --top 10 age_years")
        return text

    @property
    def chooses(self) -> bool:
        """Whether any of the flags is given."""
        return bool(self.index or self.where or self.top)


class LabelledChoice(RowChoice):
    """The same, of jobs that need no labels else."""

    GROUP = "rows"

    labels: Names = Field(
        (), description="Labels tables for --where and --top. Default: the table labels beside the latents."
    )


def choose(spec: RowChoice, latents: Latents, labels: tuple[str, ...]) -> Latents:
    """The rows that the flags choose; all of them where none is given. `labels`: as named, none for those beside them.

    Raises:
        SpecError: a row is not there, an expression is not valid, no row is left, or labels are of other latents.
        StoreError: labels are not there, or not complete.
    """
    if spec.index:
        latents = latents.only(by_number(latents.indices, numbers_of(spec.index, latents.indices), latents.url))
    if spec.where is None and not spec.top:
        return latents
    tables = [open_labels(url) for url in labels] if labels else beside([table.url for table in latents.tables])
    return latents.only(by_labels(latents_table(latents, tables), latents.url, spec.where, top_of(spec)))


def choose_of(spec: LabelledChoice, table: Table) -> Indices | None:
    """The rows that the flags choose of any table, by its index; None where no flag is given. Errors as `choose`."""
    if not spec.chooses:
        return None
    there = np.unique(schemas.to_numpy(table.read(["index"])["index"]))
    if spec.index:
        there = by_number(there, numbers_of(spec.index, there), table.url)
    if spec.where is None and not spec.top:
        return there
    tables = [open_labels(url) for url in spec.labels] if spec.labels else beside([table.url])
    check_of_same_faces(table, tables)
    return by_labels(label_table(pa.table({"index": there}), tables), table.url, spec.where, top_of(spec))


def beside(urls: Sequence[str]) -> list[Labels]:
    """The tables `labels` in the same directories as these tables, those that there are. Raises as `open_labels`."""
    labels = [store.join(store.parent(url), "labels") for url in urls]
    return [open_labels(url) for url in dict.fromkeys(labels) if Table(url).parts()]


def top_of(spec: RowChoice) -> tuple[int, str] | None:
    """How many rows --top asks for, and by which column or expression; None where it is not given."""
    number, _, by = spec.top.partition(" ")
    return (int(number), by) if spec.top else None


def numbers_of(words: Sequence[str], there: Indices) -> Indices:
    """Row numbers; of FIRST:STOP those that there are, or the first where there is none, to be missed."""
    found = [np.empty(0, dtype=np.int64)]
    for word in words:
        first, _, stop = word.partition(":")
        its = there[(there >= int(first)) & (there < int(stop or int(first) + 1))]
        found.append(its if len(its) else np.array([int(first)], dtype=np.int64))
    return np.concatenate(found)
