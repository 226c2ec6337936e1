"""Tables of an editor's own: what it keeps of each edit beside the steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

ANY: Literal["any"] = "any"


@dataclass(frozen=True)
class Column:
    """type: of its numbers. width: how many a row has: None for one number, ANY for a list that may be empty."""

    type: Literal["bool", "int64", "float32", "float64"]
    width: int | Literal["any"] | None = None


@dataclass(frozen=True)
class KeptTable:
    """A table DIR/name, with a row for each edit: index, request, attribute, and these columns.

    Trace.tables[name] has a tensor for each column: (N,), (N, width), or for a list (N, most), NaN behind its end.
    version: rises when a column changes its meaning or type.
    """

    name: str
    columns: Mapping[str, Column]
    version: int = 1


@dataclass(frozen=True)
class Earlier:
    """A table that an earlier edit by the same editor kept. flag: the field that names it. table: what it is to be."""

    flag: str
    url: str
    table: KeptTable
