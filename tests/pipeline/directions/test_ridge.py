"""Ridge regression: scikit-learn's, with the boundary at the threshold and honest accuracies."""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from pipeline.directions.method import FitInputs
from pipeline.directions.ridge import Config
from pipeline.errors import SpecError
from tests.pipeline.directions.made import codes, faces


def test_it_is_the_solution_of_the_normal_equations_on_all_rows():
    x_ND, scores, _ = faces(700, 30, seed=1)
    found = Config(alpha=50).fit(FitInputs(codes(x_ND), scores, "old", generator="g", classifier="c")).direction
    wide = x_ND.astype(np.float64)
    centred, y_N = wide - wide.mean(0), scores - scores.mean()
    w_D = np.linalg.solve(centred.T @ centred + 50 * np.eye(30), centred.T @ y_N)
    np.testing.assert_allclose(found.vector, w_D / np.linalg.norm(w_D), atol=1e-6)
    predicted = centred @ w_D + scores.mean()
    np.testing.assert_allclose(found.distance(codes(x_ND)) * np.linalg.norm(w_D), predicted, atol=1e-4)
    about = (found.method, found.C, found.fraction, found.rows, found.generator, found.classifier)
    assert about == ("ridge", None, None, 700, "g", "c")
    assert found.accuracies["all"] == pytest.approx(((predicted > 0) == (scores >= 0)).mean(), abs=1e-9)
    assert set(found.accuracies) == {"train", "validation", "all"}


def test_validation_is_of_rows_that_were_not_seen():
    """Scores of nothing, and more numbers than rows: all rows are told apart by heart, others by chance."""
    draw = np.random.default_rng(0)
    x_ND = draw.standard_normal((300, 400)).astype(np.float32)
    found = Config(alpha=1e-3).fit(FitInputs(codes(x_ND), draw.standard_normal(300), "old"))
    assert found.direction.accuracies["all"] == 1.0
    assert 0.3 < found.direction.accuracies["validation"] < 0.7
    assert found.tried == ()


def test_the_boundary_is_at_the_threshold():
    x_ND, scores, _ = faces(1000, 12, seed=2, noise=0.1)
    near = Config(alpha=1).fit(FitInputs(codes(x_ND), scores, "old")).direction
    far = Config(alpha=1, threshold=100).fit(FitInputs(codes(x_ND), scores + 100, "old")).direction
    np.testing.assert_allclose(near.vector, far.vector, atol=1e-6)
    assert far.intercept == pytest.approx(near.intercept, abs=1e-4)
    assert near.accuracies["all"] > 0.9


def test_a_large_alpha_is_the_difference_of_means_and_a_small_one_least_squares():
    x_ND, scores, _ = faces(900, 20, seed=4)
    wide = x_ND.astype(np.float64) - x_ND.mean(0, dtype=np.float64)
    covariance = wide.T @ (scores - scores.mean())
    least, *_ = np.linalg.lstsq(wide, scores - scores.mean(), rcond=None)
    for alpha, wanted in ((1e9, covariance), (1e-6, least)):
        found = Config(alpha=alpha).fit(FitInputs(codes(x_ND), scores, "old")).direction
        assert found.vector @ wanted / np.linalg.norm(wanted) > 0.99999


def test_w_plus_per_layer():
    draw = np.random.default_rng(5)
    x = draw.standard_normal((1500, 4, 10)).astype(np.float32)
    truth = draw.standard_normal((4, 10))
    found = Config(alpha=1).fit(FitInputs(codes(x, "w+"), (x * truth).sum((1, 2)), "old", per_layer=True)).direction
    assert (found.vector * truth).sum() / np.linalg.norm(truth) > 0.999


def test_alpha_is_the_one_that_was_measured_best():
    assert Config().alpha == 300


def test_any_number_of_threads_gives_the_same_bits():
    x_ND, scores, _ = faces(900, 300, seed=9)
    found = []
    for threads in (1, 2, 1):
        with threadpool_limits(threads):
            found.append(Config().fit(FitInputs(codes(x_ND), scores, "old")).direction)
    for other in found[1:]:
        np.testing.assert_array_equal(found[0].vector, other.vector)
        assert (found[0].intercept, found[0].accuracies) == (other.intercept, other.accuracies)


def test_what_cannot_be_fitted():
    x_ND, scores, _ = faces(100, 4)
    with pytest.raises(SpecError, match="100 codes and 99 scores"):
        Config().fit(FitInputs(codes(x_ND), scores[1:], "old"))
    with pytest.raises(SpecError, match="the threshold 0 leaves 100 rows above and 0 below"):
        Config().check(np.abs(scores) + 1, 0)
    with pytest.raises(SpecError, match="and so no direction"):
        Config().fit(FitInputs(codes(np.ones((100, 4), np.float32)), scores, "old"))
