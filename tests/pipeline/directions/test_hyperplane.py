"""The SVM against LibSVM and against the definition; rare classes."""

import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import SVC
from threadpoolctl import threadpool_limits

from pipeline.directions.hyperplane import INTERCEPT_SCALING, NoHyperplane, fit, fit_by_libsvm
from pipeline.errors import SpecError
from tests.pipeline.directions.made import faces


def _libsvm(x_ND, positive_N, C):
    model = SVC(kernel="linear", C=C, tol=1e-5, cache_size=1000).fit(x_ND.astype(np.float64), positive_N)
    norm = np.linalg.norm(model.coef_)
    return model.coef_[0] / norm, model.intercept_[0] / norm


@pytest.mark.parametrize("C", [1e-5, 1e-3, 0.1, 1.0])
def test_it_is_libsvms_hyperplane(C):
    x_ND, scores, _ = faces(1200, 40, seed=3)
    positive_N = scores > np.median(scores)
    normal, intercept = _libsvm(x_ND, positive_N, C)
    plane = fit(x_ND, positive_N, C)
    assert plane.normal @ normal >= 0.9999
    if C >= 1e-3:  # below, all rows are within the margin, and any intercept of a wide range is as good
        assert plane.intercept == pytest.approx(intercept, abs=1e-2)


@pytest.mark.parametrize("C", [1e-3, 0.1])
def test_classes_that_are_not_alike_in_number(C):
    x_ND, scores, _ = faces(1200, 40, seed=3)
    positive_N = scores > np.quantile(scores, 0.6)
    assert fit(x_ND, positive_N, C).normal @ _libsvm(x_ND, positive_N, C)[0] >= 0.9999


@pytest.mark.slow
def test_it_is_libsvms_on_5000_rows_of_512():
    x_ND, scores, _ = faces(5000, 512, seed=1)
    positive_N = scores > 0
    normal, intercept = _libsvm(x_ND, positive_N, 1e-3)
    plane = fit(x_ND, positive_N, 1e-3)
    assert plane.normal @ normal >= 0.99999
    assert plane.intercept == pytest.approx(intercept, abs=5e-3)


def test_more_numbers_than_rows_separable():
    x_ND, scores, _ = faces(150, 700, seed=2)
    normal, intercept = _libsvm(x_ND, scores > 0, 1.0)
    plane = fit(x_ND, scores > 0, 1.0)
    assert plane.normal @ normal >= 0.99999
    assert plane.intercept == pytest.approx(intercept, abs=5e-3)
    margins = np.where(scores > 0, 1, -1) * plane.distance(x_ND) / plane.margin
    assert margins.min() == pytest.approx(1, abs=1e-2)


def _objective(w_D, b, x_ND, sign_N, C):
    """LIBLINEAR's: the intercept counts too, for rows that are centred, in units of their mean length."""
    mean_D = x_ND.mean(axis=0)
    scale = np.sqrt(np.square(x_ND - mean_D).sum(axis=1).mean())
    inner = (b + mean_D @ w_D) / (INTERCEPT_SCALING * scale)
    return 0.5 * (w_D @ w_D + inner**2) + C * np.maximum(0, 1 - sign_N * (x_ND @ w_D + b)).sum()


@given(st.integers(0, 10**6), st.floats(1e-4, 10), st.integers(4, 60), st.integers(1, 8))
@settings(max_examples=40)
@pytest.mark.filterwarnings("ignore:Liblinear failed to converge")
def test_no_step_away_lowers_the_objective(seed, C, rows, width):
    draw = np.random.default_rng(seed)
    x_ND = draw.standard_normal((rows, width)) + 5
    positive_N = np.arange(rows) % 3 == 0
    x_ND[positive_N] += 0.5
    try:
        plane = fit(x_ND, positive_N, C, tolerance=1e-6, passes=100_000)
    except NoHyperplane:  # the next test
        reject()
    sign_N = np.where(positive_N, 1.0, -1.0)
    w_D, b = plane.normal / plane.margin, plane.intercept / plane.margin
    least = _objective(w_D, b, x_ND, sign_N, C)
    for scale in (1e-3, 1e-1, 1.0):
        for _ in range(20):
            step_D, step_b = draw.standard_normal(width) * scale, draw.standard_normal() * scale
            assert _objective(w_D + step_D, b + step_b, x_ND, sign_N, C) >= least - 1e-4 * least


def test_classes_that_lie_the_same_way_have_no_hyperplane():
    x_ND = np.array([[-1.0], [1.0], [-2.0], [2.0]])
    with pytest.raises(SpecError, match="no hyperplane separates the two classes of 4 rows"):
        fit(x_ND, np.array([True, True, False, False]), 1.0)


def test_any_number_of_threads_gives_the_same_bits():
    x_ND, scores, _ = faces(900, 300, seed=9)
    found = []
    for threads in (1, 2, 1):
        with threadpool_limits(threads):
            found.append(fit(x_ND, scores > 0, 0.01))
    for other in found[1:]:
        np.testing.assert_array_equal(found[0].normal, other.normal)
        assert found[0].intercept == other.intercept


@pytest.mark.filterwarnings("ignore:Liblinear failed to converge")
@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("share", [0.01, 0.026, 0.05])
@pytest.mark.parametrize("C", [1e-5, 1e-3, 0.1, 1.0])
def test_rare_classes_are_solved(C, share, balanced):
    """1 to 5 % positive, of codes N(0, 1) and of codes of falling variance, with half noise in the scores."""
    draw = np.random.default_rng(4)
    for x_ND, scores in ((draw.standard_normal((1000, 128)), None), faces(1000, 128, seed=6, noise=0.5)[:2]):
        along = x_ND[:, :8].sum(axis=1) + draw.standard_normal(1000) if scores is None else scores
        plane = fit(x_ND, along >= np.quantile(along, 1 - share), C, balanced)
        assert np.isfinite([*plane.normal, plane.intercept]).all()
        assert np.corrcoef(plane.distance(x_ND), along)[0, 1] > 0


def test_balanced_weighs_the_rarer_class_as_the_other():
    """As scikit-learn has it: C of a class times the rows over twice its rows. It finds most of the rare rows."""
    x_ND, scores, _ = faces(2000, 40, seed=6, noise=0.5)
    positive_N = scores >= np.quantile(scores, 0.97)
    plain, weighted = (fit(x_ND, positive_N, 1e-3, balanced) for balanced in (False, True))
    released = SVC(kernel="linear", C=1e-3, class_weight="balanced").fit(x_ND, positive_N)
    assert weighted.normal @ released.coef_[0] / np.linalg.norm(released.coef_) > 0.999
    found = [(plane.distance(x_ND) > 0)[positive_N].mean() for plane in (plain, weighted)]
    assert found[0] < 0.5
    assert found[1] > 0.8


def test_the_limit_of_passes_is_told():
    x_ND, scores, _ = faces(500, 20)
    with pytest.warns(ConvergenceWarning):
        fit(x_ND, scores > 0, 10.0, passes=5)


@given(st.floats(1e-2, 1e2), st.integers(0, 99))
@settings(max_examples=15)
def test_shift_and_scale_of_the_codes_change_nothing_else(scale, seed):
    x_ND, scores, _ = faces(200, 10, seed=seed)
    x_ND = x_ND.astype(np.float64)
    shift = np.random.default_rng(seed).standard_normal(10) * 10
    one = fit(x_ND, scores > 0, 0.1, tolerance=1e-6)
    other = fit(scale * x_ND + shift, scores > 0, 0.1 / scale**2, tolerance=1e-6)
    assert one.normal @ other.normal >= 1 - 1e-6
    np.testing.assert_allclose(other.distance(scale * x_ND + shift) / scale, one.distance(x_ND), atol=2e-2)


def test_what_cannot_be_fitted():
    x_ND, scores, _ = faces(50, 4)
    with pytest.raises(SpecError, match="all 50 rows are of the negative class"):
        fit(x_ND, np.zeros(50, dtype=bool), 1.0)
    with pytest.raises(SpecError, match="same point"):
        fit(np.ones((50, 4)), scores > 0, 1.0)
    for C in (0.0, -1.0, np.nan, np.inf):
        for solve in (fit, fit_by_libsvm):
            with pytest.raises(SpecError, match="give a positive number"):
                solve(x_ND, scores > 0, C)
