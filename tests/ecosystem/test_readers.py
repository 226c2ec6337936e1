"""Other people's readers open every table: names, types and values, NULL where a row is without one, and pictures.

Polars looks into dot folders where it is given a bare directory, and refuses the manifest there; so it has the glob of
the parts, as DuckDB has.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import datasets
import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from datasets import Image, List, Value
from sealed_tables import PSI_OR_NONE

KEY = ("index", "request", "group")
PLAIN = (pa.int32(), pa.int64(), pa.float32(), pa.float64(), pa.string())


class Found(NamedTuple):
    """What a reader makes of a table, by column."""

    types: dict[str, Any]
    values: dict[str, list]


def by_pandas(url: str) -> Found:
    frame = pd.read_parquet(url)
    return Found(dict(frame.dtypes), {name: frame[name].tolist() for name in frame})


def by_polars(frame: pl.DataFrame) -> Found:
    return Found(dict(frame.schema), {name: frame[name].to_list() for name in frame.columns})


def by_duckdb(glob: str) -> Found:
    relation = duckdb.read_parquet(glob)
    rows = relation.order(", ".join(f'"{name}"' for name in KEY if name in relation.columns)).fetchall()
    types = dict(zip(relation.columns, map(str, relation.types), strict=True))
    return Found(types, {name: [row[place] for row in rows] for place, name in enumerate(types)})


def by_datasets(url: str) -> Found:
    found = datasets.load_dataset("parquet", data_dir=url, split="train")
    types = dict(found.features)
    if "image" in types:
        found = found.cast_column("image", Image(decode=False))
    return Found(types, {name: found[name][:] for name in types})


def by_ray(url: str) -> Found:
    import ray

    ray.data.DataContext.get_current().enable_progress_bars = False
    read = ray.data.read_parquet(url)
    rows = sorted(read.take_all(), key=lambda row: [row.get(name) for name in KEY])
    schema = read.schema()
    types = dict(zip(schema.names, schema.types, strict=True))
    return Found(types, {name: [row[name] for row in rows] for name in types})


def named(names: tuple, several: Callable) -> Callable[[pa.DataType], Any]:
    """A reader's name of an Arrow type: of the plain ones, and `several` (its name, how many or None) of a list."""

    def name(type_: pa.DataType) -> Any:
        if type_ in PLAIN:
            return names[PLAIN.index(type_)]
        return several(name(type_.value_type), getattr(type_, "list_size", None))

    return name


def nothing(inner: Any, size: int | None) -> None:
    """Where a reader has no type of lists, or one of its own."""


pandas_type = named((*map(np.dtype, ("int32", "int64", "float32", "float64")), None), nothing)
polars_type = named(
    (pl.Int32, pl.Int64, pl.Float32, pl.Float64, pl.String),
    lambda inner, size: pl.Array(inner, size) if size else pl.List(inner),
)
duckdb_type = named(("INTEGER", "BIGINT", "FLOAT", "DOUBLE", "VARCHAR"), lambda inner, size: inner + "[]")
datasets_type = named(
    tuple(map(Value, ("int32", "int64", "float32", "float64", "string"))),
    lambda inner, size: List(inner, length=size) if size else List(inner),
)
READERS = {
    "pandas": (by_pandas, pandas_type),
    "Polars": (lambda url: by_polars(pl.read_parquet(f"{url}/*.parquet")), polars_type),
    "Polars, lazy": (lambda url: by_polars(pl.scan_parquet(f"{url}/*.parquet").collect()), polars_type),
    "DuckDB": (lambda url: by_duckdb(f"{url}/*.parquet"), duckdb_type),
    "DuckDB, into folders": (lambda url: by_duckdb(f"{url}/**/*.parquet"), duckdb_type),
    "datasets": (by_datasets, datasets_type),
    "Ray Data": (by_ray, named(PLAIN, nothing)),
}
SLOW = [pytest.mark.ray, pytest.mark.slow]
every = pytest.mark.parametrize(
    ("read", "type_of"),
    [pytest.param(*reader, id=name, marks=SLOW if name == "Ray Data" else ()) for name, reader in READERS.items()],
)


@pytest.fixture(autouse=True)
def ray_where_it_reads(request):
    if request.node.get_closest_marker("ray"):
        request.getfixturevalue("cluster")


def plain(value: Any) -> Any:
    """As Python has it; None for what is missing."""
    if isinstance(value, np.ndarray | list):
        return [plain(one) for one in (value.tolist() if isinstance(value, np.ndarray) else value)]
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and math.isnan(value) else value


@every
def test_numbers(numbers_table, read, type_of):
    found = read(numbers_table.url)
    assert list(found.values) == list(numbers_table.columns)
    for name, wanted in numbers_table.columns.items():
        assert plain(found.values[name]) == plain(wanted)
        if (type_ := type_of(numbers_table.types.field(name).type)) is not None:
            assert found.types[name] == type_


@every
def test_pictures(images_table, read, type_of):
    found = read(images_table.url)
    assert plain(found.values["index"]) == images_table.columns["index"].tolist()
    assert found.values["image"] == images_table.columns["image"]


@every
def test_psi_and_seed_of_own_codes_are_missing(examples, read, type_of):
    found = read(examples["latents-own"].url)
    assert plain(found.values["psi"]) == PSI_OR_NONE
    assert plain(found.values["seed"]) == [None] * len(PSI_OR_NONE)


def test_datasets_shows_the_pictures_and_streams_them(images_table):
    found = datasets.load_dataset("parquet", data_dir=images_table.url, split="train")
    assert found.features["image"] == Image()
    for row, pixels in zip(found, images_table.pixels, strict=True):
        np.testing.assert_array_equal(np.asarray(row["image"]), pixels)
    streamed = datasets.load_dataset("parquet", data_dir=images_table.url, split="train", streaming=True)
    np.testing.assert_array_equal(np.asarray(next(iter(streamed))["image"]), images_table.pixels[0])


def test_a_number_that_a_row_may_be_without_is_null(examples):
    url, wanted = examples["directions"].url, [None, 0.5, None, 0.25, None, None, 1.0]
    assert plain(pd.read_parquet(url)["C"].str[0].tolist()) == wanted
    assert duckdb.sql(f"select C[1] from '{url}/*.parquet' order by index").fetchall() == [(c,) for c in wanted]


def test_tables_join(examples):
    labels, latents, edits, requests = (examples[name].url for name in ("labels", "latents-w", "edits-w", "requests"))
    joined = f"select count(*) from '{labels}/*.parquet' join '{latents}/*.parquet' using (index) where psi < 1"
    assert duckdb.sql(joined).fetchall() == [(len(PSI_OR_NONE),)]
    frames = [pd.read_parquet(url, columns=["index"]).set_index("index") for url in (labels, latents)]
    assert len(frames[0].join(frames[1], how="inner")) == len(PSI_OR_NONE)
    found = duckdb.sql(  # the first request of the example is number 100
        f"select e.index, r.conditions from '{edits}/*.parquet' e join '{requests}/*.parquet' r "
        "on e.request + 100 = r.index where e.request = 0 order by e.index"
    ).fetchall()
    assert found == [(index, ["eyeglasses"]) for index in (100, 101, 108, 110)]
