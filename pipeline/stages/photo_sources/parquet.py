"""Parquet tables with a column of encoded pictures, as Hugging Face's data sets and stylemill's own tables are."""

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import SpecError
from pipeline.photos.decode import EMPTY, Unreadable
from pipeline.stages.photo_sources.source import UNKNOWN, File, Listing, Place, Source, listing, opened
from pipeline.tables.store_errors import one_line, store_errors

ROWS_AT_ONCE = 16
BYTES = "bytes"
"""The field of a picture that is a struct, as in datasets.Image()."""


class Parquet(Source):
    """The rows in the order of the files; offset: number of the row in its file."""

    name: ClassVar[str] = "parquet"
    about: ClassVar[str] = "Parquet tables with an image column (Hugging Face)"
    endings: ClassVar[tuple[str, ...]] = (".parquet",)

    def list(self, root: str, files: Sequence[File], column: str | None) -> Listing:
        """All rows. Raises SpecError where the files have no column of pictures, or several and none is named."""
        found, columns = list[Place](), set[str]()
        for file in files:
            name = f"{root}/{file.name.decode(errors='backslashreplace')}"
            with store_errors("read", name), opened(root, file.name) as content:
                try:
                    table = pq.ParquetFile(content)
                except pa.ArrowException as error:
                    raise SpecError(f"{name}: not a whole Parquet file ({one_line(error)})") from error
                columns.add(_column(table.schema_arrow, name, column))
                rows = table.metadata.num_rows
            found += [
                Place(file.name, b"#%d" % row, row, UNKNOWN, f"{file.version} {file.size}") for row in range(rows)
            ]
        if len(columns) > 1:
            raise SpecError(f"{root}: its files have pictures in different columns: {', '.join(sorted(columns))}")
        return listing(self.name, root, found, *columns)

    def read(self, listing: Listing, wanted: Sequence[int]) -> Iterator[bytes | Unreadable]:
        """By row groups: those that hold none of the rows are not read."""
        places = [listing.between(index, index + 1)[0] for index in wanted]
        first = 0
        while first < len(places):
            stop = first
            while stop < len(places) and places[stop].file == places[first].file:
                stop += 1
            rows = [place.offset for place in places[first:stop]]
            name = f"{listing.root}/{places[first].file.decode(errors='backslashreplace')}"
            with store_errors("read", name), opened(listing.root, places[first].file) as content:
                yield from _rows(pq.ParquetFile(content), listing.column, rows)
            first = stop


def _column(schema: pa.Schema, name: str, asked: str | None) -> str:
    pictures = [field.name for field in schema if _holds_pictures(field.type)]
    if asked is not None and asked not in pictures:
        raise SpecError(f"{name} has no column '{asked}' of pictures; it has {', '.join(pictures) or 'none'}")
    if asked is None and len(pictures) != 1:
        several = f"several: {', '.join(pictures)}; name one with --column" if pictures else "none"
        raise SpecError(
            f"{name}: a column of encoded pictures (binary, or a struct with bytes) is wanted, it has {several}"
        )
    return asked or pictures[0]


def _holds_pictures(type_: pa.DataType) -> bool:
    if pa.types.is_struct(type_):
        return type_.get_field_index(BYTES) >= 0 and _holds_pictures(type_.field(BYTES).type)
    return bool(pa.types.is_binary(type_) or pa.types.is_large_binary(type_))


def _rows(table: pq.ParquetFile, column: str, rows: list[int]) -> Iterator[bytes | Unreadable]:
    """Of these rows of a file, in rising order."""
    starts = np.cumsum([0, *(table.metadata.row_group(group).num_rows for group in range(table.num_row_groups))])
    for group in range(table.num_row_groups):
        its = [row - int(starts[group]) for row in rows if starts[group] <= row < starts[group + 1]]
        before = 0
        for batch in table.iter_batches(ROWS_AT_ONCE, row_groups=[group], columns=[column]) if its else ():
            inside = [row - before for row in its if before <= row < before + batch.num_rows]
            yield from (_content(batch[column][row].as_py()) for row in inside)
            before += batch.num_rows


def _content(value: Any) -> bytes | Unreadable:
    content = value.get(BYTES) if isinstance(value, dict) else value
    return Unreadable(EMPTY, "the row has no bytes of a picture") if content is None else bytes(content)
