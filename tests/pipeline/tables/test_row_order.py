"""Tables whose key is more than the index: written, read by range, inspected, sealed, verified."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import schemas
from pipeline.errors import StoreError
from pipeline.tables import PartRecord, Table
from schemas import SchemaError

EDITS = schemas.edits((3,))
KEYS = [(10, 0, 0), (10, 0, 1), (10, 1, 1), (11, 0, 1), (13, 0, 0), (13, 1, 0), (13, 1, 4)]


def rows_of(keys):
    index, request, step = (list(column) for column in zip(*keys, strict=True))
    columns = {"index": index, "request": request, "step": step, "strength": 1.0, "stop": "done", "space": "w"}
    return EDITS.rows({**columns, "latent": np.zeros((len(index), 3), np.float32), "generator": "g"})


def keys_of(rows):
    return list(zip(*(rows[name].to_pylist() for name in EDITS.key), strict=True))


@pytest.fixture
def table(tmp_path):
    return Table.create(str(tmp_path / "edits"), EDITS, rows=8, rows_per_shard=4, first_index=10)


@pytest.mark.parametrize("cut", range(1, len(KEYS)))
def test_a_part_knows_its_indices_however_its_rows_came(table, cut):
    with table.writer(0) as writer:
        writer.write(rows_of(KEYS[:cut]))
        writer.write(rows_of(KEYS[cut:]))
        record = writer.finish()
        writer.publish()
    assert (record.rows, record.indices, record.index_first, record.index_last) == (7, 3, 10, 13)
    assert record.planned_rows == 3
    assert table.inspect(0) == record == PartRecord.from_dict(record.as_dict())
    table.seal([record, table.publish(1, EDITS.arrow.empty_table())], {})
    assert table.verify() == []
    assert keys_of(table.read()) == KEYS
    assert keys_of(table.read(indices=range(10, 11))) == KEYS[:3]
    assert keys_of(table.read(indices=range(11, 14))) == KEYS[3:]
    assert table.records()[1].planned_rows == 0


def test_rows_follow_on_by_the_whole_key(table):
    with table.writer(0) as writer:
        writer.write(rows_of([(10, 1, 1)]))
        with pytest.raises(SchemaError, match="index, request, step 10, 0, 5 comes after 10, 1, 1"):
            writer.write(rows_of([(10, 0, 5)]))


def test_row_groups_out_of_order_are_found(table):
    record = table.publish(0, rows_of(KEYS))
    table.seal([record, table.publish(1, EDITS.arrow.empty_table())], {})
    path = f"{table.url}/{record.name}"
    with pq.ParquetWriter(path, EDITS.arrow, **EDITS.writer_options()) as part:
        part.write_table(rows_of(KEYS[4:]))
        part.write_table(rows_of(KEYS[:4]))
    with pytest.raises(StoreError, match=r"row group 1 is not valid: .* 10, 0, 0 comes after 13, 1, 4"):
        table.inspect(0)
    assert any("10, 0, 0 comes after 13, 1, 4" in str(problem) for problem in table.verify())


def test_a_manifest_with_another_number_of_indices_is_found(table):
    record = table.publish(0, rows_of(KEYS))
    wrong = PartRecord.from_dict({**record.as_dict(), "indices": 4})
    table.seal([wrong, table.publish(1, EDITS.arrow.empty_table())], {})
    assert ["has 3 indices; the manifest says 4" in problem.what for problem in table.verify()] == [True]


def test_a_table_with_a_row_for_each_index_has_nothing_new_in_its_manifest(tmp_path):
    table = Table.create(str(tmp_path), schemas.rejects(), rows=2, rows_per_shard=2)
    columns = {"index": [0, 1], "stage": "s", "reason": "r", "detail": "", "traceback": ""}
    record = table.publish(
        0,
        pa.table(
            {**columns, **{k: [v] * 2 for k, v in columns.items() if k != "index"}}, schema=schemas.rejects().arrow
        ),
    )
    assert record.planned_rows == record.rows == 2
    assert "indices" not in record.as_dict()
