"""The record of a part, from its bytes: what its writer knew, or an error that names it."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import schemas
from pipeline.errors import StoreError
from pipeline.tables import Table, part_name, store

SCHEMA = schemas.latents(w_dim=8)


def rows_of(indices):
    indices = np.asarray(list(indices))
    w = (indices[:, None] * np.ones(8)).astype(np.float32)
    return SCHEMA.rows({"index": indices, "w": w, "psi": 0.7, "seed": 1, "generator": "g"})


def test_it_is_the_writers(place):
    table = Table.create(place, SCHEMA, rows=25, rows_per_shard=10, first_index=100)
    written = [
        table.publish(0, rows_of(range(103, 108))),
        table.publish(1, rows_of([])),
        table.publish(2, rows_of([121])),
    ]
    assert [table.inspect(shard) for shard in range(3)] == written


@pytest.fixture
def part(tmp_path):
    table = Table.create(str(tmp_path), SCHEMA, rows=2000, rows_per_shard=2000)
    record = table.publish(0, rows_of(range(2000)))
    return table, tmp_path / record.name


def test_missing(part):
    table, path = part
    path.unlink()
    with pytest.raises(StoreError, match=part_name(0, 1)):
        table.inspect(0)


def test_a_flipped_bit_of_any_column(part):
    table, path = part
    sound = path.read_bytes()
    with pq.ParquetFile(path) as file:
        group = file.metadata.row_group(0)
        columns = [group.column(number) for number in range(group.num_columns)]
    for column in columns:
        content = bytearray(sound)
        content[column.data_page_offset + column.total_compressed_size - 3] ^= 1
        path.write_bytes(content)
        with pytest.raises(StoreError, match=f"{path.name} is damaged"):
            table.inspect(0)


def test_truncated(part):
    table, path = part
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(StoreError, match=f"{path.name} is damaged"):
        table.inspect(0)


def test_of_another_schema(part):
    table, path = part
    rows = schemas.labels([]).rows({"index": [1], "age_years": 1.0, "yaw_degrees": 1.0})
    pq.write_table(rows, path)
    with pytest.raises(StoreError, match=path.name):
        table.inspect(0)


def test_rows_out_of_order_or_not_finite(part):
    table, path = part
    psi = pa.array([0.7, float("nan")], pa.float32())
    for rows in (rows_of([3, 1]), rows_of([1, 2]).set_column(2, SCHEMA.arrow.field(2), psi)):
        pq.write_table(rows, path, **SCHEMA.writer_options())
        with pytest.raises(StoreError, match=rf"{path.name}.*not valid"):
            table.inspect(0)


def test_of_a_bucket_names_the_bucket(bucket):
    table = Table.create(bucket, SCHEMA, rows=10, rows_per_shard=10)
    record = table.publish(0, rows_of(range(10)))
    content = bytearray(store.read_bytes(store.join(bucket, record.name)))
    content[100] ^= 1
    store.write_atomic(store.join(bucket, record.name), bytes(content))
    with pytest.raises(StoreError, match=f"{bucket}/{record.name} is damaged"):
        table.inspect(0)


def test_where_the_cut_is_not_known(tmp_path):
    with pytest.raises(ValueError, match="which part"):
        Table(str(tmp_path), SCHEMA).inspect(0)
