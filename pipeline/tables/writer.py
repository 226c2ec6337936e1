"""One part, written as its rows come, published whole.

The bytes of a part are a function of its rows and schema alone: rows are gathered into row groups that close after a
fixed number of rows (and, for pictures, of bytes), however they were handed in.
"""

import hashlib
import os
from contextlib import AbstractContextManager, suppress
from types import TracebackType
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.tables import local_files, staging, store
from pipeline.tables.parts import PartRecord, part_name
from pipeline.tables.row_groups import RowGroups
from pipeline.tables.row_order import RowOrder
from pipeline.tables.store_errors import store_errors
from schemas import SchemaError, TableSchema


class PartWriter:
    """Writes one part of a table to a staged file: `write` any number of times, `finish`, then `publish`.

    On a local file system the staged file lies in the table's directory under a hidden name; for an object store it
    lies in the temporary directory of this machine (`staging.py`). Used in a `with`, it leaves no staged file behind.
    """

    def __init__(self, table_url: str, schema: TableSchema, shard: int, shards: int, indices: range | None = None):
        """`indices`: those that the shard may hold, if it is a range of rows. Raises StoreError."""
        self.url = store.join(table_url, part_name(shard, shards))
        self._schema, self._shard, self._name, self._indices = schema, shard, part_name(shard, shards), indices
        self._record: PartRecord | None = None
        self._rows = RowOrder(schema)
        self._groups = RowGroups(schema)
        store.make_directory(table_url)
        directory = store.local_path(table_url)
        self._local = directory is not None
        self._staged = (directory or staging.directory()) / local_files.staged_name(self._name)
        with self._errors():
            self._file = _Digesting(self._staged.open("xb"))
            try:
                self._parquet = pq.ParquetWriter(self._file, schema.arrow, **schema.writer_options())
            except BaseException:
                self._file.abandon()
                self._staged.unlink(missing_ok=True)
                raise

    def write(self, rows: pa.Table | pa.RecordBatch) -> None:
        """Add rows, of the schema and in rising order of its key.

        Raises SchemaError for rows that are not of the schema, and StoreError where the disk fails; the staged file is
        gone then.
        """
        if self._record is not None:
            raise ValueError(f"{self._name} is finished: no row can be added")
        try:
            if rows.num_rows == 0:
                return
            self._schema.validate(rows)
            self._check_indices(rows)
            with self._errors():
                for group in self._groups.add(rows):
                    self._parquet.write_table(group, row_group_size=group.num_rows)
        except BaseException:
            self.discard()
            raise

    def finish(self) -> PartRecord:
        """Write what is left and close the file, safely on disk. Raises StoreError where the disk fails."""
        if self._record is None:
            try:
                with self._errors():
                    for group in self._groups.rest():
                        self._parquet.write_table(group, row_group_size=group.num_rows)
                    self._parquet.close()
                    self._file.finish(sync=self._local)
            except BaseException:
                self.discard()
                raise
            self._record = PartRecord(
                name=self._name,
                shard=self._shard,
                rows=self._rows.rows,
                bytes=self._file.bytes,
                sha256=self._file.sha256.hexdigest(),
                index_first=self._rows.first,
                index_last=self._rows.last,
                indices=self._rows.indices,
            )
        return self._record

    def publish(self) -> None:
        """Put the finished part in its place, whole, over an older one of the same shard. Raises StoreError."""
        self.finish()
        try:
            if self._local:
                store.move_local(self._staged, self.url)
            else:
                store.put_file(self._staged, self.url)
        finally:
            self._staged.unlink(missing_ok=True)

    def discard(self) -> None:
        """Forget the rows and delete the staged file; a published part stays."""
        self._file.abandon()
        self._parquet.close()
        self._staged.unlink(missing_ok=True)

    def __enter__(self) -> "PartWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()

    def _errors(self) -> AbstractContextManager[None]:
        staged = str(self._staged)
        return store_errors("write", staged) if self._local else staging.disk_errors(staged)

    def _check_indices(self, rows: pa.Table | pa.RecordBatch) -> None:
        index = rows.column("index")
        first, last = index[0].as_py(), index[-1].as_py()
        allowed = self._indices
        if allowed is not None and not (allowed.start <= first and last < allowed.stop):
            raise SchemaError(
                f"{self._name}: rows {first} to {last} are not all of this shard, "
                f"whose rows are {allowed.start} to {allowed.stop - 1}"
            )
        try:
            self._rows.add(rows)
        except SchemaError as error:
            raise SchemaError(f"{self._name}: {error}") from error


class _Digesting:
    """A file that is written once, from front to back, and knows its length and digest."""

    closed = False  # the Parquet writer's end is not the end of the file: `finish` is

    def __init__(self, file: BinaryIO):
        self._file = file
        self._abandoned = False
        self.bytes = 0
        self.sha256 = hashlib.sha256()

    def write(self, content: bytes) -> int:
        view = memoryview(content)
        if not self._abandoned:
            self._file.write(view)
            self.sha256.update(view)
        self.bytes += view.nbytes
        return view.nbytes

    def tell(self) -> int:
        return self.bytes

    def flush(self) -> None:
        if not self._abandoned:
            self._file.flush()

    def finish(self, sync: bool) -> None:
        self._file.flush()
        if sync:
            os.fsync(self._file.fileno())
        self._file.close()

    def abandon(self) -> None:
        """Close the file; what is written from now on, as the Parquet writer's footer, goes nowhere."""
        self._abandoned = True
        with suppress(OSError):  # the disk is full: what is in the buffer is not wanted any more
            self._file.close()
