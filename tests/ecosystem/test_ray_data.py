"""Ray Data reads every table."""

import numpy as np
import pytest
from sealed_tables import IMAGES, NUMBERS

pytestmark = [pytest.mark.ray, pytest.mark.slow]


@pytest.fixture(scope="module")
def ray_data():
    ray = pytest.importorskip("ray")
    started = not ray.is_initialized()
    if started:
        ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    yield ray.data
    if started:
        ray.shutdown()


KEY = ("index", "request", "group")


def rows_of(ray_data, url):
    return sorted(ray_data.read_parquet(url).take_all(), key=lambda row: [row.get(name) for name in KEY])


@pytest.mark.parametrize("numbers_table", NUMBERS, indirect=True)
def test_numbers(numbers_table, ray_data):
    rows = rows_of(ray_data, numbers_table.url)
    assert list(rows[0]) == list(numbers_table.columns)
    for name, wanted in numbers_table.columns.items():
        found = [row[name] for row in rows]
        if isinstance(wanted, list):
            assert [value.tolist() if isinstance(value, np.ndarray) else value for value in found] == wanted
        else:
            np.testing.assert_array_equal(np.array(found, wanted.dtype), wanted)


def test_types(examples, ray_data):
    schema = ray_data.read_parquet(examples["latents-ws"].url).schema()
    types = dict(zip(schema.names, map(str, schema.types), strict=True))
    assert types["index"] == types["seed"] == "int64"
    assert types["psi"] == "float"
    assert "23" in types["ws"]
    assert "512" in types["ws"]


@pytest.mark.parametrize("images_table", IMAGES, indirect=True)
def test_pictures(images_table, ray_data):
    rows = rows_of(ray_data, images_table.url)
    assert [row["image"] for row in rows] == images_table.columns["image"]
