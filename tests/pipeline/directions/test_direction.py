import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.directions import Direction, normalised
from pipeline.errors import SpecError
from pipeline.models.codes import Codes
from tests.pipeline.directions.made import codes, direction

SPACES = {"z": ((8,), (8,)), "w": ((8,), (8,)), "w+": ((5, 8), (5, 8)), "shared": ((5, 8), (8,)), "s": ((40,), (40,))}


@pytest.mark.parametrize("case", SPACES)
@given(seed=st.integers(0, 999), t=st.floats(-5, 5))
@settings(max_examples=20)
def test_along_moves_the_distance_by_as_much(case, seed, t):
    row, shape = SPACES[case]
    space = "w+" if case == "shared" else case
    draw = np.random.default_rng(seed)
    found = direction(draw.standard_normal(shape), space=space, intercept=draw.standard_normal())
    here = codes(draw.standard_normal((3, *row)), space)
    there = Codes(space, here.values + t * found.along(here))
    assert found.along(here).shape == row
    np.testing.assert_allclose(found.distance(there) - found.distance(here), t, atol=1e-5)


def test_distance_is_the_definition_in_float64():
    draw = np.random.default_rng(1)
    vector, x = draw.standard_normal((3, 4)), draw.standard_normal((7, 3, 4)).astype(np.float32)
    found = normalised("a", "svm", "w+", vector, 2.0)
    expected = (x.astype(np.float64) * found.vector.astype(np.float64)).sum((1, 2)) + 2.0 / np.linalg.norm(vector)
    assert found.distance(codes(x, "w+")).dtype == torch.float64
    np.testing.assert_allclose(found.distance(codes(x, "w+")), expected, rtol=1e-12)


def test_it_is_its_own_and_read_only():
    raw = np.array([1.0, 0.0], dtype=np.float32)
    found = Direction("a", "svm", "w", raw)
    raw[0] = 9
    assert found.vector.tolist() == [1.0, 0.0]
    with pytest.raises(ValueError, match="read-only"):
        found.vector[0] = 2


def test_of_w_in_w_plus():
    found = direction([3.0, 4.0], intercept=5.0).in_w_plus()
    x = torch.randn(4, 6, 2)
    np.testing.assert_allclose(
        found.distance(Codes("w+", x)), direction([3.0, 4.0], intercept=5.0).distance(Codes("w", x.double().mean(1)))
    )
    with pytest.raises(SpecError, match="in z: only one of w"):
        direction([1.0], space="z").in_w_plus()


@pytest.mark.parametrize(
    ("found", "given", "message"),
    [
        (direction([1.0, 0]), codes(torch.zeros(1, 2), "z"), "is in w, the codes are in z"),
        (direction([1.0, 0]), codes(torch.zeros(1, 3, 2), "w+"), "use in_w_plus"),
        (direction([1.0, 0]), codes(torch.zeros(1, 3)), r"has the shape \(2,\), a row of the codes \(3,\)"),
        (direction(np.ones((2, 3)), space="w+"), codes(torch.zeros(1, 4, 3), "w+"), r"shape \(2, 3\)"),
    ],
)
def test_codes_that_do_not_fit(found, given, message):
    for use in (found.distance, found.along):
        with pytest.raises(SpecError, match=message):
            use(given)


@pytest.mark.parametrize(
    ("space", "vector", "message"),
    [
        ("q", [1.0], "unknown latent space"),
        ("w", [[1.0]], "cannot have the shape"),
        ("w", [2.0], "has norm 2, not 1"),
        ("w", [np.nan], "not finite"),
        ("w", [], "cannot have the shape"),
    ],
)
def test_what_is_no_direction(space, vector, message):
    with pytest.raises(SpecError, match=message):
        Direction("a", "svm", space, vector)
    with pytest.raises(SpecError, match="and so no direction"):
        normalised("a", "svm", "w", [0.0, 0.0])


def test_its_name_has_its_conditions():
    assert direction([1.0], conditions=("male", "smile")).name == "old|male,smile"
