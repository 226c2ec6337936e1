"""Parts: the file of a shard in a table, its name, and what is recorded of it."""

import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.errors import SpecError

_NAME = re.compile(r"part-(\d{5,})-of-(\d{5,})\.parquet")


def part_name(shard: int, shards: int) -> str:
    """`part-00007-of-00064.parquet`: shard counted from 0."""
    return f"part-{shard:05d}-of-{shards:05d}.parquet"


def parse_part_name(name: str) -> tuple[int, int] | None:
    """(shard, shards) of a part's name; None for any other name."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    shard, shards = int(found[1]), int(found[2])
    return (shard, shards) if shard < shards and name == part_name(shard, shards) else None


@dataclass(frozen=True, slots=True)
class PartRecord:
    """What is known of a finished part without opening it: enough to seal a table and to check it later.

    index_first, index_last: of the rows in it, both inclusive; None where the part is empty.
    indices: how many different indices it has; None where the table's key is the index alone, and these are the rows.
    """

    name: str
    shard: int
    rows: int
    bytes: int
    sha256: str
    index_first: int | None
    index_last: int | None
    indices: int | None = None

    @property
    def planned_rows(self) -> int:
        """How many of the planned rows it has, each in one row of the part or in several."""
        return self.rows if self.indices is None else self.indices

    def as_dict(self) -> dict[str, Any]:
        values = {
            "name": self.name,
            "shard": self.shard,
            "rows": self.rows,
            "bytes": self.bytes,
            "sha256": self.sha256,
            "index_first": self.index_first,
            "index_last": self.index_last,
        }
        return values if self.indices is None else {**values, "indices": self.indices}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "PartRecord":
        """Raises KeyError, TypeError or ValueError where a field is missing or of another type."""
        first, last, indices = values["index_first"], values["index_last"], values.get("indices")
        return cls(
            name=str(values["name"]),
            shard=int(values["shard"]),
            rows=int(values["rows"]),
            bytes=int(values["bytes"]),
            sha256=str(values["sha256"]),
            index_first=None if first is None else int(first),
            index_last=None if last is None else int(last),
            indices=None if indices is None else int(indices),
        )


@dataclass(frozen=True)
class Layout:
    """How the planned rows are cut into shards: rows first_index ... first_index + rows - 1, `rows_per_shard` in each.

    bounds: where shards are not all as long, or rows were chosen and the planned ones are not all in between: the first
    index of each shard, and the one after the last of all.
    """

    rows: int
    rows_per_shard: int
    first_index: int = 0
    bounds: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.rows < 1 or self.rows_per_shard < 1 or self.first_index < 0:
            raise SpecError(f"a table needs rows and rows per shard of 1 or more, and no negative index: {self}")
        if self.bounds and (self.bounds[0] != self.first_index or list(self.bounds) != sorted(set(self.bounds))):
            raise SpecError(f"the bounds of shards rise from the first index on: {self}")

    @property
    def shards(self) -> int:
        return len(self.bounds) - 1 if self.bounds else -(-self.rows // self.rows_per_shard)

    @property
    def stop(self) -> int:
        """The index after the last planned one."""
        return self.bounds[-1] if self.bounds else self.first_index + self.rows

    def indices(self, shard: int) -> range:
        """The planned indices of a shard; those between them, where rows were chosen."""
        if not 0 <= shard < self.shards:
            raise SpecError(f"shard {shard} is not one of 0 to {self.shards - 1}")
        if self.bounds:
            return range(self.bounds[shard], self.bounds[shard + 1])
        start = self.first_index + shard * self.rows_per_shard
        return range(start, min(start + self.rows_per_shard, self.stop))

    def holding(self, first: int, stop: int) -> range:
        """The shards that may hold rows of [first, stop)."""
        first, stop = max(first, self.first_index), min(stop, self.stop)
        if first >= stop:
            return range(0)
        return range(self._shard(first), self._shard(stop - 1) + 1)

    def as_dict(self) -> dict[str, Any]:
        """As a manifest holds it; without `bounds` where there are none."""
        bounds = {"bounds": list(self.bounds)} if self.bounds else {}
        return {**self.facts, **bounds}

    @property
    def facts(self) -> dict[str, int]:
        """What decides it, with the size of a micro-batch and, where rows were chosen, which they are."""
        return {"rows": self.rows, "rows_per_shard": self.rows_per_shard, "first_index": self.first_index}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Layout":
        """Raises TypeError where a field is unknown, missing or of another type."""
        return cls(**{**values, "bounds": tuple(values.get("bounds", ()))})

    def _shard(self, index: int) -> int:
        if self.bounds:
            return bisect_right(self.bounds, index) - 1
        return (index - self.first_index) // self.rows_per_shard
