"""Hugging Face datasets opens every table with its features, and shows the pictures."""

import datasets
import numpy as np
import pytest
from datasets import Image, List, Value


@pytest.fixture
def load(tmp_path):
    return lambda url: datasets.load_dataset("parquet", data_dir=url, split="train", cache_dir=str(tmp_path))


FEATURES = {
    "index": Value("int64"),
    "seed": Value("int64"),
    "w": List(Value("float32"), length=512),
    "z": List(Value("float32"), length=512),
    "ws": List(List(Value("float32"), length=512), length=23),
}


def test_numbers(numbers_table, load):
    found = load(numbers_table.url)
    assert found.column_names == list(numbers_table.columns)
    arrays = found.with_format("numpy")
    for name, wanted in numbers_table.columns.items():
        kind = Value("string" if isinstance(wanted, list) else "float32")
        assert found.features[name] == FEATURES.get(name, kind)
        if isinstance(wanted, list):
            assert found[name][:] == wanted
        else:
            np.testing.assert_array_equal(arrays[name][:], wanted)


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
