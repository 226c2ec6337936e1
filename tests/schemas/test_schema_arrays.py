"""Rows from arrays and back."""

import numpy as np
import pyarrow as pa
import pytest

import schemas
from schemas import SchemaError, to_numpy

SCHEMA = schemas.latents("w+", w_dim=4, num_ws=3)


def columns(**others):
    ws = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    return {"index": [5, 6], "ws": ws, "psi": 0.7, "seed": 2**63 - 1, "generator": "g", **others}


def test_arrays_come_back_in_shape_also_from_slices_and_chunks():
    rows = SCHEMA.rows(columns())
    assert rows.schema.equals(SCHEMA.arrow, check_metadata=True)
    np.testing.assert_array_equal(to_numpy(rows["ws"]), columns()["ws"])
    np.testing.assert_array_equal(to_numpy(rows.slice(1)["ws"]), columns()["ws"][1:])
    twice = pa.concat_tables([rows.slice(1), rows])
    np.testing.assert_array_equal(to_numpy(twice["ws"]), columns()["ws"][[1, 0, 1]])
    assert to_numpy(rows.slice(2)["ws"]).shape == (0, 3, 4)
    assert rows["psi"].to_pylist() == [np.float32(0.7)] * 2
    assert rows["seed"].to_pylist() == [2**63 - 1] * 2


@pytest.mark.parametrize(
    ("others", "message"),
    [
        ({"ws": np.zeros((2, 3, 4))}, "'ws': wanted float of shape .2, 3, 4., found float64"),
        ({"ws": np.zeros((2, 12), np.float32)}, "found float32 of shape .2, 12."),
        ({"ws": np.zeros((3, 3, 4), np.float32)}, "found float32 of shape .3, 3, 4."),
        ({"psi": [1.0]}, "'psi' has 1 rows, 'index' 2"),
        ({"seed": 2**63}, "'seed'"),
        ({"key": "a"}, "wanted columns"),
    ],
)
def test_what_does_not_fit_is_named(others, message):
    with pytest.raises(SchemaError, match=message):
        SCHEMA.rows(columns(**others))
