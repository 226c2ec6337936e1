"""What a part holds, read off its bytes: for parts that are there without a record."""

import hashlib
from pathlib import Path

from pipeline.errors import Damaged
from pipeline.tables import reader, store
from pipeline.tables.parts import PartRecord
from pipeline.tables.retries import with_retries
from pipeline.tables.row_order import RowOrder
from pipeline.tables.store_errors import store_errors
from schemas import SchemaError, TableSchema


def sha256_of(url: str) -> str | None:
    """Of a part as it lies there, None where it is missing; read a block at a time, however large it is."""
    if not store.exists(url):
        return None
    with store.local_copy(url) as path:
        return digest_of(path, url)


def digest_of(path: Path, url: str) -> str:
    """sha256 of the part at `url`, whose local copy is `path`. Raises StoreError where it cannot be read."""

    def read() -> str:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    with store_errors("read", url):
        return with_retries(read)


def inspect(url: str, schema: TableSchema, shard: int) -> PartRecord:
    """The record that the writer of this part knew when it closed it. Every page and every value is looked at.

    One row group is in memory at a time; a part in an object store is fetched once, to the temporary disk.
    Raises:
        Damaged: the part is damaged, of another schema, or holds a row that is not valid.
        StoreError: it is missing, or cannot be read.
    """
    rows = RowOrder(schema)
    with store.local_copy(url) as path:
        with reader.open_part(str(path), named=url) as part:
            reader.check_schema(url, schema, part)
            for group in range(part.num_row_groups):
                table = part.read_row_group(group)
                try:
                    schema.validate(table)
                    rows.add(table)
                except SchemaError as error:
                    raise Damaged(f"{url}: a row of row group {group} is not valid: {error}: {reader.AGAIN}") from error
        sha256 = digest_of(path, url)
        size = path.stat().st_size
    name = url.rsplit("/", 1)[-1]
    return PartRecord(name, shard, rows.rows, size, sha256, rows.first, rows.last, rows.indices)
