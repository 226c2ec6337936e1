"""DuckDB opens every table: its glob of parts, also the one that goes into folders."""

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from sealed_tables import PSI_OR_NONE

TYPES = {
    pa.int32(): "INTEGER",
    pa.int64(): "BIGINT",
    pa.float32(): "FLOAT",
    pa.float64(): "DOUBLE",
    pa.string(): "VARCHAR",
}


def duckdb_type(type_):
    return TYPES[type_] if type_ in TYPES else duckdb_type(type_.value_type) + "[]"


@pytest.mark.parametrize("glob", ["*.parquet", "**/*.parquet"])
def test_numbers(numbers_table, glob):
    relation = duckdb.read_parquet(f"{numbers_table.url}/{glob}")
    assert relation.columns == list(numbers_table.columns)
    types = dict(zip(relation.columns, map(str, relation.types), strict=True))
    order = [name for name in ("index", "request", "group") if name in relation.columns]
    rows = relation.order(", ".join(f'"{name}"' for name in order)).fetchall()
    for place, (name, wanted) in enumerate(numbers_table.columns.items()):
        assert types[name] == duckdb_type(numbers_table.types.field(name).type)
        found = [row[place] for row in rows]
        if isinstance(wanted, list):
            assert found == wanted
        else:
            np.testing.assert_array_equal(np.array(found, wanted.dtype), wanted)


def test_pictures(images_table):
    relation = duckdb.read_parquet(f"{images_table.url}/*.parquet").order("index")
    assert dict(zip(relation.columns, (str(type_).replace('"', "") for type_ in relation.types), strict=True)) == {
        "index": "BIGINT",
        "image": "STRUCT(bytes BLOB, path VARCHAR)",
    }
    assert [row[1] for row in relation.fetchall()] == images_table.columns["image"]


def test_a_number_that_a_row_may_be_without_is_null(examples):
    url = examples["directions"].url
    found = duckdb.sql(f"select C[1] from '{url}/*.parquet' order by index").fetchall()
    assert found == [(None,), (0.5,), (None,), (0.25,), (None,), (None,), (1.0,)]


def test_psi_and_seed_of_own_codes_are_null(examples):
    url = examples["latents-own"].url
    found = duckdb.sql(f"select psi, seed from '{url}/*.parquet' order by index").fetchall()
    assert found == [(psi, None) for psi in PSI_OR_NONE]


def test_edits_join_requests(examples):
    edits, requests = examples["edits-w"].url, examples["requests"].url
    # the first request of the example is number 100
    found = duckdb.sql(
        f"select e.index, r.conditions from '{edits}/*.parquet' e join '{requests}/*.parquet' r "
        "on e.request + 100 = r.index where e.request = 0 order by e.index"
    ).fetchall()
    assert found == [(index, ["eyeglasses"]) for index in (100, 101, 108, 110)]


def test_labels_and_latents_join(examples):
    found = duckdb.sql(
        f"select count(*), max(smile) from '{examples['labels'].url}/*.parquet' "
        f"join '{examples['latents-w'].url}/*.parquet' using (index) where psi < 1"
    ).fetchall()
    smile = examples["labels"].columns["smile"]
    assert found == [(len(smile), smile.max())]
