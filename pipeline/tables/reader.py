"""Reading one part: its columns, a range of its rows, its batches. Page checksums are verified on the way."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import Damaged, StoreError
from pipeline.tables import store
from pipeline.tables.retries import with_retries
from pipeline.tables.store_errors import one_line, store_errors
from schemas import SchemaError, TableSchema, from_arrow

AGAIN = "delete this part and run the command that makes the table again"


@contextmanager
def open_part(url: str, named: str | None = None) -> Iterator[pq.ParquetFile]:
    """The part as a ParquetFile.

    Raises, also from within the block:
        Damaged: it was read, and is not Parquet or not what its checksums say.
        StoreError: it is missing, or cannot be read: permissions, the disk, the store, memory.

    `named`: the URL that errors name, where this is a copy of it.
    """
    fs, path = store.resolve(url)
    url = named or url
    with store_errors("read", url):
        try:
            with with_retries(fs.open, path, "rb") as file, _Part(_RetryingFile(file)) as part:
                yield part
        except (pa.ArrowException, OSError) as error:
            if isinstance(error, MemoryError) or not _is_of_arrow(error):
                raise
            raise Damaged(f"{url} is damaged ({one_line(error)}): {AGAIN}") from error


def part_schema(url: str) -> TableSchema:
    """The schema in a part's footer. Raises StoreError where it is none of ours."""
    with open_part(url) as part:
        try:
            return from_arrow(part.schema_arrow)
        except SchemaError as error:
            raise StoreError(f"{url}: {error}") from error


def read_part(
    url: str, schema: TableSchema, columns: Sequence[str] | None = None, indices: range | None = None
) -> pa.Table:
    """The rows of a part, in order: all, or those whose index is in `indices` (step 1).

    Raises StoreError where the part is missing, damaged or of another schema.
    """
    names = _names(url, schema, columns)
    with open_part(url) as part:
        check_schema(url, schema, part)
        if indices is None:
            return _exactly(part.read(columns=names), schema, names)
        groups = [group for group in range(part.num_row_groups) if _overlaps(part, group, indices)]
        rows = part.read_row_groups(groups, columns=list({"index": None, **dict.fromkeys(names)}))
    index = rows.column("index").to_numpy()
    start, stop = np.searchsorted(index, [indices.start, indices.stop])
    return _exactly(rows.slice(start, stop - start), schema, names)


def read_part_batches(
    url: str, schema: TableSchema, columns: Sequence[str] | None, rows: int
) -> Iterator[pa.RecordBatch]:
    """The rows of a part, in order, at most `rows` at a time."""
    names = _names(url, schema, columns)
    with open_part(url) as part:
        check_schema(url, schema, part)
        for batch in part.iter_batches(batch_size=rows, columns=names):
            yield batch.select(names)


def empty_rows(schema: TableSchema, columns: Sequence[str] | None = None) -> pa.Table:
    """No rows, of these columns."""
    return _exactly(schema.arrow.empty_table(), schema, _names(schema.name, schema, columns))


def _is_of_arrow(error: Exception) -> bool:
    """Not of the system or the store; of a checksum, it is a bare OSError."""
    return isinstance(error, pa.ArrowException) or (type(error) is OSError and error.errno is None)


def _names(url: str, schema: TableSchema, columns: Sequence[str] | None) -> list[str]:
    known = schema.arrow.names
    names = known if columns is None else list(columns)
    if unknown := [name for name in names if name not in known]:
        raise StoreError(f"{url} has no column '{unknown[0]}'; its columns are {', '.join(known)}")
    return names


def _exactly(rows: pa.Table, schema: TableSchema, names: list[str]) -> pa.Table:
    fields = [schema.arrow.field(name) for name in names]
    return pa.Table.from_arrays([rows.column(name) for name in names], schema=pa.schema(fields))


def check_schema(url: str, schema: TableSchema, part: pq.ParquetFile) -> None:
    """Raise Damaged where a part is of another schema."""
    try:
        schema.validate_types(part.schema_arrow)
    except SchemaError as error:
        raise Damaged(f"{url} is not of this table: {error}") from error


def _overlaps(part: pq.ParquetFile, group: int, indices: range) -> bool:
    """Whether a row group may hold these indices; its statistics of `index`, the first column, say so."""
    statistics = part.metadata.row_group(group).column(0).statistics
    if statistics is None or not statistics.has_min_max:
        return True
    return statistics.min < indices.stop and statistics.max >= indices.start


class _Part(pq.ParquetFile):
    """A part that is read by the calling thread alone, and no other ever holds its file.

    Arrow's threads may drop the last reference to a file a moment after a read has returned. Where it is a Python file,
    they need the interpreter for that, and a thread that asks an ending interpreter is ended within a destructor of
    C++, which aborts the process. Arrow's defaults read ahead on one pool (`pre_buffer`) and decode on another
    (`use_threads`); neither was faster here.
    """

    def __init__(self, file: "_RetryingFile"):
        super().__init__(file, page_checksum_verification=True, pre_buffer=False)

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        return super().read(columns=columns, use_threads=False)

    def read_row_group(self, i: int, columns: Sequence[str] | None = None) -> pa.Table:
        return super().read_row_group(i, columns=columns, use_threads=False)

    def read_row_groups(self, row_groups: Sequence[int], columns: Sequence[str] | None = None) -> pa.Table:
        return super().read_row_groups(row_groups, columns=columns, use_threads=False)

    def iter_batches(self, batch_size: int, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        return super().iter_batches(batch_size, columns=columns, use_threads=False)


class _RetryingFile:
    """A file to read, each of whose reads is tried again where it fails in a way that passes."""

    mode = "rb"

    def __init__(self, file: Any):
        self._file = file

    def read(self, size: int = -1) -> bytes:
        return with_retries(self._read, self._file.tell(), size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def close(self) -> None:
        self._file.close()

    @property
    def closed(self) -> bool:
        return bool(self._file.closed)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def _read(self, place: int, size: int) -> bytes:
        self._file.seek(place)
        return bytes(self._file.read(size))
