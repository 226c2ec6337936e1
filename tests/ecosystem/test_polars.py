"""Polars opens every table by the glob of its parts.

Given a bare directory it looks into dot folders too, and refuses files of another kind than Parquet: not our rows, but
the manifest beside them stops it. Its own message then names the glob.
"""

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from sealed_tables import PSI_OR_NONE


@pytest.fixture(params=["read", "scan"])
def read(request):
    if request.param == "read":
        return lambda url: pl.read_parquet(f"{url}/*.parquet")
    return lambda url: pl.scan_parquet(f"{url}/*.parquet").collect()


TYPES = {
    pa.int32(): pl.Int32,
    pa.int64(): pl.Int64,
    pa.float32(): pl.Float32,
    pa.float64(): pl.Float64,
    pa.string(): pl.String,
}


def polars_type(type_):
    if type_ in TYPES:
        return TYPES[type_]
    inner = polars_type(type_.value_type)
    return pl.Array(inner, type_.list_size) if pa.types.is_fixed_size_list(type_) else pl.List(inner)


def test_numbers(numbers_table, read):
    frame = read(numbers_table.url)
    assert frame.columns == list(numbers_table.columns)
    for name, wanted in numbers_table.columns.items():
        assert frame.schema[name] == polars_type(numbers_table.types.field(name).type)
        if isinstance(wanted, list):
            assert frame[name].to_list() == wanted
        else:
            np.testing.assert_array_equal(frame[name].to_numpy(), wanted)


def test_pictures(images_table, read):
    frame = read(images_table.url)
    assert frame.schema["image"] == pl.Struct({"bytes": pl.Binary, "path": pl.String})
    assert frame["image"].to_list() == images_table.columns["image"]


def test_psi_and_seed_of_own_codes_are_null(examples, read):
    frame = read(examples["latents-own"].url)
    assert frame["psi"].to_list() == PSI_OR_NONE
    assert frame["seed"].to_list() == [None] * len(PSI_OR_NONE)
    assert frame.schema["seed"] == pl.Int64
