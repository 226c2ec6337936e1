"""Pictures of several edits of the same faces, so that methods can be looked at side by side."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipeline.errors import SpecError
from pipeline.exports.slider import METHOD
from pipeline.stages.joined import Labels
from pipeline.stages.pictured import Pictured
from pipeline.tables import Table

TABLE = "table"
"""The column with the number of the directory that a picture is of, from 0 in the order in which they were named."""
KEY = ("index", TABLE, "request", "step")
MOVED_BY = ("directions_digest", "artifact_digest")
"""What tells two methods of one editor apart."""
SAID = 5
"""Faces that a message names."""


@dataclass(frozen=True, eq=False)
class SideBySide:
    """parts: pictures of edits, each with the name of its method; those of one name are one method. It is read as
    `Pictured` is.
    """

    parts: tuple[tuple[str, Pictured], ...]

    @property
    def key(self) -> tuple[str, ...]:
        """Columns that tell the pictures apart."""
        return KEY

    @cached_property
    def rows(self) -> pa.Table:
        """What is known of each picture that is chosen: its key, its method, its edit and its request."""
        return _in_order([part.rows for _, part in self.parts], [name for name, _ in self.parts])[0]

    @property
    def tables(self) -> tuple[Table, ...]:
        """Of pictures."""
        return tuple(table for _, part in self.parts for table in part.tables)

    @property
    def labels(self) -> tuple[Labels, ...]:
        """Of the faces before they were edited; each part has the same."""
        return self.parts[0][1].labels

    @property
    def choice(self) -> dict[str, Any]:
        """What a spec says of the methods and of the chosen pictures."""
        return {
            "methods": [name for name, _ in self.parts],
            "chosen": [part.choice.get("chosen") for _, part in self.parts],
        }

    @property
    def digests(self) -> dict[str, Any]:
        """Of all tables that it is read from."""
        return {"edits_digests": [part.digests for _, part in self.parts]}

    def read(self, first: int, stop: int) -> tuple[pa.Table, list[bytes]]:
        """The pictures whose index is in [first, stop): what is known of them, and their bytes."""
        found = [part.read(first, stop) for _, part in self.parts]
        rows, order = _in_order([rows for rows, _ in found], [name for name, _ in self.parts])
        contents = [content for _, contents in found for content in contents]
        return rows, [contents[place] for place in order]

    def __reduce__(self) -> tuple[Any, ...]:
        """For workers, which read the rows themselves."""
        return SideBySide, (self.parts,)


def side_by_side(parts: Sequence[Pictured], names: Sequence[str] = ()) -> SideBySide:
    """The faces that all methods have edited.

    names: of the method of each part; by default its editor, if all parts of an editor are edits of other faces by the
    same directions and the same artifact.

    Raises:
        SpecError: pictures are not of edits, not of one attribute, of other latents, without the picture of a source,
            or of several edits of a face by one method; there is no face that all methods have edited.
        StoreError: a table is not complete.
    """
    for part in parts:
        if part.edits is None or part.requests is None:
            raise SpecError(f"{part.table.url} has no pictures of edits: name directories that stylemill edit wrote")
    facts = [part.table.require_sealed()["facts"] for part in parts]
    _check_latents(parts, facts)
    methods = list(names) or _editors(parts, facts)
    _check_attribute(parts)
    for name, part in zip(methods, parts, strict=True):
        _check_edits(name, part)
    found = [part.of_faces(_common(parts, methods)) for part in parts]
    return SideBySide(tuple(zip(methods, found, strict=True)))


def faces_of(part: Pictured) -> NDArray[np.int64]:
    """Of the pictures that are chosen, rising."""
    return np.unique(part.rows["index"].to_numpy())


def _in_order(parts: Sequence[pa.Table], names: Sequence[str]) -> tuple[pa.Table, list[int]]:
    """All rows by their key, and of each its place among those of the parts, one after the other."""
    numbered = [
        rows.append_column(TABLE, pa.array([number] * rows.num_rows, pa.int64())).append_column(
            METHOD, pa.array([name] * rows.num_rows, pa.string())
        )
        for number, (rows, name) in enumerate(zip(parts, names, strict=True))
    ]
    rows = pa.concat_tables(numbered, promote_options="default")
    order = np.lexsort([rows[name].to_numpy() for name in reversed(KEY)])
    first = [*KEY, METHOD]
    columns = [*first, *(name for name in rows.column_names if name not in first)]
    return rows.select(columns).take(pa.array(order)), order.tolist()


def _check_latents(parts: Sequence[Pictured], facts: Sequence[Mapping[str, Any]]) -> None:
    digests = [one["resolved"].get("latents_digest") for one in facts]
    for part, digest in zip(parts, digests, strict=True):
        if digest != digests[0]:
            raise SpecError(f"{part.table.url} has edits of other latents than {parts[0].table.url}, so that the same "
                            "number is another face: edit the same table of latents by all methods")  # fmt: skip


def _editors(parts: Sequence[Pictured], facts: Sequence[Mapping[str, Any]]) -> list[str]:
    """The editor of each part. Raises SpecError where two parts of an editor may be two methods."""
    names = [str(one["spec"]["editor"]) for one in facts]
    by = [[one["resolved"].get(name) for name in MOVED_BY] for one in facts]
    for name, count in Counter(names).items():
        its = [place for place, one in enumerate(names) if one == name]
        faces = np.concatenate([faces_of(parts[place]) for place in its])
        if len(np.unique(faces)) < len(faces) or any(by[place] != by[its[0]] for place in its):
            raise SpecError(f"{count} of the directories are edits by {name}, of the same faces or by other "
                            "directions: pass --names, a name for each directory, such as "
                            f"{','.join(f'{name}-{number + 1}' for number in range(count))}")  # fmt: skip
    return names


def _check_attribute(parts: Sequence[Pictured]) -> None:
    attributes = sorted({name for part in parts for name in part.rows["attribute"].unique().to_pylist()})
    if len(attributes) > 1:
        raise SpecError(f"these are edits of {', '.join(attributes)}, and a page has one attribute: pass "
                        f"""--where "attribute = '{attributes[0]}'\"""")  # fmt: skip


def _check_edits(name: str, part: Pictured) -> None:
    """Of one directory: one edit of each face, and a picture of its source."""
    rows = part.rows.select(["index", "request", "step"]).to_pandas().groupby("index")
    for face, first in rows["request"].min()[rows["request"].nunique() > 1].items():
        raise SpecError(f"{part.table.url} has several edits of face {face} by {name}, which ask for different things: "
                        f'pass --where "request = {first}"')  # fmt: skip
    for face in rows["step"].min().loc[lambda first: first > 0].index:
        raise SpecError(f"{part.table.url} has no picture of face {face} as it was before the edit (step 0): keep it "
                        "in --where, or make the edits with --keep all and another --out")  # fmt: skip


def _common(parts: Sequence[Pictured], methods: Sequence[str]) -> NDArray[np.int64]:
    """The faces that each method has edited. Raises SpecError where there is none."""
    by_method: dict[str, NDArray[np.int64]] = {}
    for name, part in zip(methods, parts, strict=True):
        by_method[name] = np.union1d(by_method.get(name, np.empty(0, np.int64)), faces_of(part))
    found = reduce(np.intersect1d, by_method.values())
    if not len(found):
        said = "; ".join(f"{name} {', '.join(map(str, faces[:SAID]))}{', ...' if len(faces) > SAID else ''}"
                         for name, faces in by_method.items())  # fmt: skip
        raise SpecError(f"no face was edited by all methods ({said}): edit the same rows by all of them")
    return found
