"""Hugging Face datasets opens every table with its features, and shows the pictures."""

import datasets
import numpy as np
import pyarrow as pa
import pytest
from datasets import Image, List, Value
from sealed_tables import PSI_OR_NONE


@pytest.fixture
def load(tmp_path):
    return lambda url: datasets.load_dataset("parquet", data_dir=url, split="train", cache_dir=str(tmp_path))


VALUES = {
    pa.int32(): Value("int32"),
    pa.int64(): Value("int64"),
    pa.float32(): Value("float32"),
    pa.float64(): Value("float64"),
    pa.string(): Value("string"),
}


def feature(type_):
    if type_ in VALUES:
        return VALUES[type_]
    inner = feature(type_.value_type)
    return List(inner, length=type_.list_size) if pa.types.is_fixed_size_list(type_) else List(inner)


def test_numbers(numbers_table, load):
    found = load(numbers_table.url)
    assert found.column_names == list(numbers_table.columns)
    for name, wanted in numbers_table.columns.items():
        assert found.features[name] == feature(numbers_table.types.field(name).type)
        if isinstance(wanted, list):
            assert found[name][:] == wanted
        else:
            np.testing.assert_array_equal(np.array(found[name][:], wanted.dtype), wanted)


def test_pictures_are_shown(images_table, load):
    found = load(images_table.url)
    assert found.features["image"] == Image()
    assert found["index"][:] == images_table.columns["index"].tolist()
    for row, pixels in zip(found, images_table.pixels, strict=True):
        assert row["image"].size == (64, 48)
        np.testing.assert_array_equal(np.asarray(row["image"]), pixels)


def test_streaming(images_table):
    found = datasets.load_dataset("parquet", data_dir=images_table.url, split="train", streaming=True)
    np.testing.assert_array_equal(np.asarray(next(iter(found))["image"]), images_table.pixels[0])


def test_psi_and_seed_of_own_codes_are_none(examples, load):
    found = load(examples["latents-own"].url)
    assert (found["psi"][:], found["seed"][:]) == (PSI_OR_NONE, [None] * len(PSI_OR_NONE))
    assert found.features["seed"] == Value("int64")
