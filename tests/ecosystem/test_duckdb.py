"""DuckDB opens every table: its glob of parts, also the one that goes into folders."""

import duckdb
import numpy as np
import pytest

TYPES = {"index": "BIGINT", "seed": "BIGINT", "w": "FLOAT[]", "z": "FLOAT[]", "ws": "FLOAT[][]"}


@pytest.mark.parametrize("glob", ["*.parquet", "**/*.parquet"])
def test_numbers(numbers_table, glob):
    relation = duckdb.read_parquet(f"{numbers_table.url}/{glob}")
    assert relation.columns == list(numbers_table.columns)
    types = dict(zip(relation.columns, map(str, relation.types), strict=True))
    rows = relation.order("index").fetchall()
    for place, (name, wanted) in enumerate(numbers_table.columns.items()):
        assert types[name] == TYPES.get(name, "VARCHAR" if isinstance(wanted, list) else "FLOAT")
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


def test_labels_and_latents_join(examples):
    found = duckdb.sql(
        f"select count(*), max(smile) from '{examples['labels'].url}/*.parquet' "
        f"join '{examples['latents-w'].url}/*.parquet' using (index) where psi < 1"
    ).fetchall()
    smile = examples["labels"].columns["smile"]
    assert found == [(len(smile), smile.max())]
