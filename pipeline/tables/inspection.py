"""What a part holds, read off its bytes: for parts that are there without a record."""

import hashlib

from pipeline.errors import StoreError
from pipeline.tables import reader, store
from pipeline.tables.parts import PartRecord
from schemas import SchemaError, TableSchema


def inspect(url: str, schema: TableSchema, shard: int) -> PartRecord:
    """The record that the writer of this part knew when it closed it. Every page and every value is looked at.

    One row group is in memory at a time; a part in an object store is fetched once, to the temporary disk.
    Raises StoreError where the part is missing, damaged, of another schema, or holds a row that is not valid.
    """
    first = last = None
    rows = 0
    with store.local_copy(url) as path:
        with reader.open_part(str(path), named=url) as part:
            reader.check_schema(url, schema, part)
            for group in range(part.num_row_groups):
                table = part.read_row_group(group)
                try:
                    schema.validate(table)
                except SchemaError as error:
                    raise StoreError(
                        f"{url}: a row of row group {group} is not valid: {error}: {reader.AGAIN}"
                    ) from error
                if table.num_rows:
                    start, stop = table["index"][0].as_py(), table["index"][-1].as_py()
                    if last is not None and start <= last:
                        raise StoreError(f"{url}: index {start} comes after {last}: {reader.AGAIN}")
                    first, last = start if first is None else first, stop
                rows += table.num_rows
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        size = path.stat().st_size
    return PartRecord(url.rsplit("/", 1)[-1], shard, rows, size, sha256, first, last)
