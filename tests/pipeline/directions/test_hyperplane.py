"""The SVM against LibSVM, against the definition, and its certificate."""

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from sklearn.svm import SVC

from pipeline.directions.hyperplane import Points, fit
from pipeline.errors import SpecError
from tests.pipeline.directions.made import faces


def _libsvm(x_ND, positive_N, C):
    model = SVC(kernel="linear", C=C, tol=1e-5, cache_size=1000).fit(x_ND.astype(np.float64), positive_N)
    norm = np.linalg.norm(model.coef_)
    return model.coef_[0] / norm, model.intercept_[0] / norm


@pytest.mark.parametrize("C", [1e-5, 1e-3, 0.1, 1.0])
def test_it_is_libsvms_hyperplane(C):
    x_ND, scores, _ = faces(1200, 40, seed=3)
    positive_N = scores > np.quantile(scores, 0.6)
    normal, intercept = _libsvm(x_ND, positive_N, C)
    plane = fit(Points(x_ND, positive_N), C, 1e-8)
    assert plane.normal @ normal >= 1 - 1e-6
    assert plane.intercept == pytest.approx(intercept, abs=2e-3)


def test_it_is_libsvms_on_5000_rows_of_512():
    x_ND, scores, _ = faces(5000, 512, seed=1)
    positive_N = scores > 0
    normal, intercept = _libsvm(x_ND, positive_N, 1e-3)
    plane = fit(Points(x_ND, positive_N), 1e-3)
    assert plane.normal @ normal >= 0.99999
    assert plane.intercept == pytest.approx(intercept, abs=5e-3)


def test_more_numbers_than_rows_separable():
    x_ND, scores, _ = faces(150, 700, seed=2)
    normal, intercept = _libsvm(x_ND, scores > 0, 1.0)
    plane = fit(Points(x_ND, scores > 0), 1.0)
    assert plane.normal @ normal >= 0.99999
    assert plane.intercept == pytest.approx(intercept, abs=5e-3)
    margins = np.where(scores > 0, 1, -1) * plane.distance(x_ND) / plane.margin
    assert margins.min() == pytest.approx(1, abs=1e-2)


def _objective(w_D, b, x_ND, sign_N, C):
    return 0.5 * w_D @ w_D + C * np.maximum(0, 1 - sign_N * (x_ND @ w_D + b)).sum()


@given(st.integers(0, 10**6), st.floats(1e-4, 10), st.integers(4, 60), st.integers(1, 8))
@settings(max_examples=40, deadline=None)
def test_no_step_away_lowers_the_objective(seed, C, rows, width):
    draw = np.random.default_rng(seed)
    x_ND = draw.standard_normal((rows, width)) + 5
    positive_N = np.arange(rows) % 3 == 0
    x_ND[positive_N] += 0.5
    try:
        plane = fit(Points(x_ND, positive_N), C, 1e-8)
    except SpecError as error:
        if "better than none does" in str(error):  # the next test
            reject()
        raise
    sign_N = np.where(positive_N, 1.0, -1.0)
    w_D, b = plane.normal / plane.margin, plane.intercept / plane.margin
    least = _objective(w_D, b, x_ND, sign_N, C)
    assert plane.gap <= 1e-8
    for scale in (1e-3, 1e-1, 1.0):
        for _ in range(20):
            step_D, step_b = draw.standard_normal(width) * scale, draw.standard_normal() * scale
            assert _objective(w_D + step_D, b + step_b, x_ND, sign_N, C) >= least - 1e-7 * (1 + w_D @ w_D + least)


def test_classes_that_lie_the_same_way_have_no_hyperplane():
    x_ND = np.array([[-1.0], [1.0], [-2.0], [2.0]])
    with pytest.raises(SpecError, match="no hyperplane tells the two classes of 4 rows apart"):
        fit(Points(x_ND, np.array([True, True, False, False])), 1.0)


@pytest.mark.parametrize("C", [1e-3, 1e-1, 1.0])
def test_the_certificate_bounds_the_cosine(C):
    x_ND, scores, _ = faces(800, 60, seed=5)
    points = Points(x_ND, scores > 0.3)
    exact = fit(points, C, 1e-8)
    for tolerance in (1e-1, 1e-2, 1e-4):
        loose = fit(points, C, tolerance)
        assert loose.normal @ exact.normal >= 1 - loose.gap - 1e-7
        assert loose.gap <= tolerance


def test_multipliers_make_the_normal():
    x_ND, scores, _ = faces(500, 20, seed=7)
    C = 0.05
    plane = fit(Points(x_ND, scores > 0), C)
    sign_N = np.where(scores > 0, 1.0, -1.0)
    assert plane.multipliers.min() >= 0
    assert plane.multipliers.max() <= C * (1 + 1e-9)
    assert sign_N @ plane.multipliers == pytest.approx(0, abs=1e-9 * plane.multipliers.sum())
    w_D = (sign_N * plane.multipliers) @ x_ND.astype(np.float64)
    np.testing.assert_allclose(w_D, plane.normal / plane.margin, rtol=0, atol=1e-6 * np.linalg.norm(w_D))


def test_float32_and_a_start_lead_to_the_same_place():
    x_ND, scores, _ = faces(2000, 80, seed=8)
    exact = fit(Points(x_ND, scores > 0), 0.1, 1e-8)
    points = Points(x_ND, scores > 0, np.float32)
    assert fit(points, 0.1, 1e-3).normal @ exact.normal >= 1 - 1e-3
    assert fit(points, 0.1, 1e-3, start=fit(points, 1e-4, 1e-3)).normal @ exact.normal >= 1 - 1e-3


def test_twice_is_the_same_to_the_bit():
    x_ND, scores, _ = faces(900, 50, seed=9)
    one, two = (fit(Points(x_ND, scores > 0), 0.1) for _ in range(2))
    np.testing.assert_array_equal(one.normal, two.normal)
    assert one.intercept == two.intercept


@given(st.floats(1e-2, 1e2), st.integers(0, 99))
@settings(max_examples=15, deadline=None)
def test_shift_and_scale_of_the_codes_change_nothing_else(scale, seed):
    x_ND, scores, _ = faces(200, 10, seed=seed)
    x_ND = x_ND.astype(np.float64)
    shift = np.random.default_rng(seed).standard_normal(10) * 10
    one = fit(Points(x_ND, scores > 0), 0.1, 1e-8)
    other = fit(Points(scale * x_ND + shift, scores > 0), 0.1 / scale**2, 1e-8)
    assert one.normal @ other.normal >= 1 - 1e-6
    np.testing.assert_allclose(other.distance(scale * x_ND + shift) / scale, one.distance(x_ND), atol=2e-2)


def test_what_cannot_be_fitted():
    x_ND, scores, _ = faces(50, 4)
    with pytest.raises(SpecError, match="all 50 rows are of the negative class"):
        Points(x_ND, np.zeros(50, dtype=bool))
    with pytest.raises(SpecError, match="same point"):
        Points(np.ones((50, 4)), scores > 0)
    for C in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(SpecError, match="give a positive number"):
            fit(Points(x_ND, scores > 0), C)
