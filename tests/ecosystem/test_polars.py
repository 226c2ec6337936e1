"""Polars opens every table by the glob of its parts.

Given a bare directory it looks into dot folders too, and refuses files of another kind than Parquet: not our rows, but
the manifest beside them stops it. Its own message then names the glob.
"""

import numpy as np
import polars as pl
import pytest


@pytest.fixture(params=["read", "scan"])
def read(request):
    if request.param == "read":
        return lambda url: pl.read_parquet(f"{url}/*.parquet")
    return lambda url: pl.scan_parquet(f"{url}/*.parquet").collect()


TYPES = {
    "index": pl.Int64,
    "seed": pl.Int64,
    "psi": pl.Float32,
    "generator": pl.String,
    "w": pl.Array(pl.Float32, 512),
    "z": pl.Array(pl.Float32, 512),
    "ws": pl.Array(pl.Array(pl.Float32, 512), 23),
}


def test_numbers(numbers_table, read):
    frame = read(numbers_table.url)
    assert frame.columns == list(numbers_table.columns)
    for name, wanted in numbers_table.columns.items():
        assert frame.schema[name] == TYPES.get(name, pl.String if isinstance(wanted, list) else pl.Float32)
        if isinstance(wanted, list):
            assert frame[name].to_list() == wanted
        else:
            np.testing.assert_array_equal(frame[name].to_numpy(), wanted)


def test_pictures(images_table, read):
    frame = read(images_table.url)
    assert frame.schema["image"] == pl.Struct({"bytes": pl.Binary, "path": pl.String})
    assert frame["image"].to_list() == images_table.columns["image"]
