"""A few rows of a latents table as a table of their own, counted from 0 so that they fill their micro-batches."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

import schemas
from pipeline.engine.fingerprint import fingerprint
from pipeline.engine.owner import disown
from pipeline.tables import Table

ROWS_PER_SHARD = 16
"""Few, so that all workers take part."""


def copy_rows(latents: Table, rows: Sequence[int], url: str) -> None:
    """Write and seal these rows at `url`, each with its index in `latents` as its `key`; codes are the same bits.

    A table of these very rows that is there already stays.

    Raises:
        StoreError: storage fails.
    """
    theirs = latents.require_sealed()["facts"]
    facts = {
        **theirs,
        "verb": "reproduce",
        "spec": {**theirs.get("spec", {}), "rows": list(rows)},
        "resolved": {**theirs.get("resolved", {}), "latents_digest": latents.digest},
    }
    there = Table(url).manifest()
    if there is not None and there["facts"] == facts:
        return
    found = latents.read()
    places = np.searchsorted(found["index"].to_numpy(), np.asarray(rows))
    chosen = found.take(pa.array(places))
    assert chosen["index"].to_pylist() == list(rows)
    schema = schemas.latents(w_dim=chosen.schema.field("w").type.list_size, with_key=True)
    columns = {name: chosen[name] for name in schema.arrow.names if name not in ("index", "key")}
    count = pa.array(range(len(rows)), pa.int64())
    keyed = pa.table({"index": count, "key": pa.array(map(str, rows), pa.string()), **columns}, schema=schema.arrow)
    disown(Table(url))
    table = Table.create(url, schema, rows=len(rows), rows_per_shard=ROWS_PER_SHARD)
    starts = range(0, len(rows), ROWS_PER_SHARD)
    parts = [table.publish(shard, keyed.slice(start, ROWS_PER_SHARD)) for shard, start in enumerate(starts)]
    table.seal(parts, facts, fingerprint(facts))
