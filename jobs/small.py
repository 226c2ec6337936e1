"""A small table, made whole at once and sealed, with what it stands on in its manifest."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from jobs.flags import say
from jobs.places import ends_with_this_process
from pipeline.directions import Direction
from pipeline.directions.lookup import by_name
from pipeline.engine.fingerprint import fingerprint
from pipeline.engine.owner import disown
from pipeline.errors import OutputDiffers, SpecError
from pipeline.stages.direction_rows import DirectionTables
from pipeline.tables import Table, store
from schemas import TableSchema


def check_free(url: str, replace: bool, *inputs: str) -> None:
    """Look before anything is computed.

    Raises:
        OutputDiffers: there is a file or a table, and it is not to be replaced.
        SpecError: it is one of the tables that the new one is made from.
    """
    if ends_with_this_process(url):
        say(f"Note  {url} is memory of this process: it is gone when the process ends")
    if url.rstrip("/") in {name.rstrip("/") for name in inputs}:
        raise SpecError(f"{url} is what the new table would be made from: choose another --out")
    if not replace and store.exists(url):
        raise OutputDiffers(f"{url} is there already; choose another --out, or pass --replace to make it anew")


def write_small(url: str, schema: TableSchema, rows: pa.Table, facts: Mapping[str, Any]) -> None:
    """Write and seal a table of one part, in place of what is there (`check_free` has looked).

    Raises:
        StoreError: storage fails.
    """
    disown(Table(url))
    table = Table.create(url, schema, rows=max(1, rows.num_rows), rows_per_shard=max(1, rows.num_rows))
    table.seal([table.publish(0, rows)], facts, fingerprint(facts))
    say(f"Done  {url}: {rows.num_rows:,} rows")


def open_directions(urls: Sequence[str]) -> tuple[DirectionTables, dict[str, Direction]]:
    """Sealed tables of directions, and their directions by name; errors as `DirectionTables.open`."""
    tables = DirectionTables.open(urls)
    return tables, by_name(tables.directions)
