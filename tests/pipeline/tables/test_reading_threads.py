"""No thread of Arrow ever holds a Python file: it could be the last, and abort a process that is ending."""

import gc
import threading

import numpy as np
import pytest

import schemas
from pipeline.tables import Table, reader

SCHEMA = schemas.latents(w_dim=8)
READS = {
    "read": lambda table: table.read(),
    "read some columns": lambda table: table.read(columns=["index", "psi"]),
    "read some rows": lambda table: table.read(indices=range(30, 1500)),
    "batches": lambda table: list(table.batches(rows=100)),
    "batches, not to the end": lambda table: next(table.batches(rows=100)),
    "schema": lambda table: Table(table.url).schema,
    "inspect": lambda table: table.inspect(0),
}


@pytest.fixture
def table(tmp_path):
    index = np.arange(2000)
    w = np.random.default_rng(1).standard_normal((2000, 8)).astype(np.float32)
    table = Table.create(str(tmp_path), SCHEMA, rows=2000, rows_per_shard=2000)
    rows = SCHEMA.rows({"index": index, "w": w, "psi": 0.7, "seed": 1, "generator": "g"})
    table.seal([table.publish(0, rows)], {})
    return table


@pytest.mark.parametrize("read", READS.values(), ids=READS)
def test_the_calling_thread_reads_and_lets_go(table, monkeypatch, read):
    threads, left = set(), set()

    class Watched(reader._RetryingFile):
        def __init__(self, file):
            left.add(id(self))
            super().__init__(file)

        def read(self, size=-1):
            threads.add(threading.get_ident())
            return super().read(size)

        def __del__(self):
            threads.add(threading.get_ident())
            left.discard(id(self))

    monkeypatch.setattr(reader, "_RetryingFile", Watched)
    gc.freeze()  # all that was imported: it takes half a second to look through
    try:
        for _ in range(5):
            kept = read(table)
            gc.collect()
            assert not left, "the file is held by someone when its part has been read"
    finally:
        gc.unfreeze()
    assert kept is not None
    assert threads == {threading.get_ident()}
