"""GANSpace against scikit-learn, SeFa against the definition."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from pipeline.directions.ganspace import Moments, components, named_by_effect
from pipeline.directions.sefa import sefa
from pipeline.errors import SpecError
from tests.pipeline.directions.made import codes, faces


def _moments(x_ND, cuts=()):
    parts = [Moments.of(codes(part)) for part in np.split(x_ND, sorted(cuts)) if len(part)]
    whole = parts[0]
    for part in parts[1:]:
        whole = whole.merge(part)
    return whole


def test_components_are_scikit_learns():
    x_ND = faces(900, 24, seed=1)[0].astype(np.float64)
    found = components(_moments(x_ND, (100, 101, 600)), 10, generator="g")
    theirs = PCA(10, svd_solver="full").fit(x_ND)
    np.testing.assert_allclose([each.vector for each in found.directions], theirs.components_, atol=1e-6)
    np.testing.assert_allclose(found.variances, theirs.explained_variance_, rtol=1e-10)
    distances = np.stack([each.distance(codes(x_ND)).numpy() for each in found.directions], axis=1)
    np.testing.assert_allclose(distances, theirs.transform(x_ND), atol=1e-5)
    assert [each.attribute for each in found.directions] == [f"pc{k}" for k in range(10)]
    assert {(each.method, each.space, each.rows, each.generator) for each in found.directions} == {
        ("ganspace", "w", 900, "g")
    }


@given(st.lists(st.integers(1, 199), max_size=6), st.integers(0, 999))
@settings(max_examples=30)
def test_moments_do_not_depend_on_the_shards(cuts, seed):
    x_ND = np.random.default_rng(seed).standard_normal((200, 5)) + 1e3
    one, other = _moments(x_ND), _moments(x_ND, cuts)
    assert one.count == other.count == 200
    np.testing.assert_allclose(other.mean, one.mean, rtol=1e-13)
    np.testing.assert_allclose(other.scatter, one.scatter, rtol=0, atol=1e-8)


def test_what_has_no_components():
    x_ND = np.eye(5)
    for count in (0, 5):
        with pytest.raises(SpecError, match=f"{count} components were asked: 5 codes of width 5 have 1 to 4"):
            components(_moments(x_ND), count)
    with pytest.raises(SpecError, match=r"these codes are in w\+"):
        Moments.of(codes(torch.zeros(2, 3, 4), "w+"))
    with pytest.raises(SpecError, match="no codes"):
        Moments.of(codes(np.zeros((0, 3))))
    with pytest.raises(SpecError, match="code of row 1 is not finite"):
        Moments.of(codes(np.array([[1.0], [np.inf]])))
    with pytest.raises(SpecError, match="width 5 and of 2"):
        _moments(x_ND).merge(_moments(np.eye(2)))


def test_components_are_named_by_what_they_move_most_and_turned_so_that_it_rises():
    first, second = components(_moments(faces(50, 4, seed=2)[0]), 2).directions
    turned, sign = named_by_effect(first, {"smile": 0.1, "yaw": -2.0}, "c")
    assert (turned.attribute, turned.classifier, sign, turned.intercept) == ("yaw", "c", -1.0, -first.intercept)
    np.testing.assert_array_equal(turned.vector, -first.vector)
    kept, sign = named_by_effect(second, {"smile": 0.5, "yaw": 0.2})
    assert (kept.attribute, sign, kept.intercept) == ("smile", 1.0, second.intercept)
    np.testing.assert_array_equal(kept.vector, second.vector)
    with pytest.raises(SpecError, match="no score was measured along pc0"):
        named_by_effect(first, {})
    with pytest.raises(SpecError, match="the change of yaw along pc0 is nan"):
        named_by_effect(first, {"yaw": np.nan})


def test_deviations_are_those_of_the_distances():
    x_ND = faces(200, 6, seed=3)[0].astype(np.float64)
    moments = _moments(x_ND, (70,))
    found = components(moments, 3).directions
    spread = [float(each.distance(codes(x_ND)).std()) for each in found]
    np.testing.assert_allclose(moments.deviations(found), spread, rtol=1e-6)


@pytest.mark.parametrize("unit_rows", [False, True])
def test_sefa_changes_the_chosen_styles_most(unit_rows):
    draw = np.random.default_rng(4)
    weights = {f"layer{k}": draw.standard_normal((20 + k, 12)) * (k + 1) for k in range(3)}
    found = sefa(weights, 12, ["layer0", "layer2"], unit_rows, generator="g")
    a_CW = np.concatenate([weights["layer0"], weights["layer2"]])
    if unit_rows:
        a_CW /= np.linalg.norm(a_CW, axis=1, keepdims=True)
    _, singular, right = np.linalg.svd(a_CW)
    for direction, value, vector in zip(found, singular, right, strict=True):
        assert np.linalg.norm(a_CW @ direction.vector) == pytest.approx(value, rel=1e-5)
        assert abs(direction.vector @ vector) == pytest.approx(1, abs=1e-5)
        assert direction.vector[np.abs(direction.vector).argmax()] > 0
    assert (found[1].attribute, found[1].method, found[1].space, found[1].generator) == ("sefa1", "sefa", "w", "g")


def test_what_sefa_cannot_do():
    weights = {"a": np.ones((3, 4)), "b": np.ones((3, 5)), "c": np.full((3, 4), np.nan)}
    for layers, count, message in [
        (["x"], 1, "no layer x: choose from a, b, c"),
        ([], 1, "no layer was chosen"),
        (["a", "b"], 1, "the weights of b are not finite numbers"),
        (["c"], 1, "the weights of c"),
        (["a"], 5, "5 directions were asked: w has 4"),
    ]:
        with pytest.raises(SpecError, match=message):
            sefa(weights, count, layers)
