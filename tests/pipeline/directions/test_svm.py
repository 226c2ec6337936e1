"""Directions of codes with a known answer, in each space, and what is said of them."""

import warnings

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from sklearn.svm import SVC

from pipeline.directions.choose import CS_OF_UNIT_ROWS
from pipeline.directions.classes import by_rank, by_threshold
from pipeline.directions.method import FitInputs, features
from pipeline.directions.svm import NEXT_BEST, UNCONVERGED, Config, fit_as_released, fit_direction
from pipeline.errors import SpecError
from pipeline.models.codes import Codes
from tests.pipeline.directions.made import codes, faces


def _brute(direction, x, part):
    return float((((x.astype(np.float64) @ direction.vector + direction.intercept) > 0) == part.positive).mean())


def test_the_direction_is_found_and_its_accuracies_are_those_of_the_definition():
    x_ND, scores, _ = faces(3000, 24, seed=1, noise=0.2)
    classes = by_rank(scores, 0.2, seed=3)
    found = fit_direction(codes(x_ND), scores, "old", classes, 0.01, generator="g", classifier="c")
    assert np.corrcoef(found.distance(codes(x_ND)), scores)[0, 1] > 0.9
    assert found.accuracies == {
        name: pytest.approx(_brute(found, x_ND[part.rows], part), abs=1e-9)
        for name, part in [
            ("train", classes.train), ("validation", classes.validation),
            ("remaining", classes.remaining), ("all", classes.all),
        ]
    }  # fmt: skip
    assert found.accuracies["validation"] > found.accuracies["all"] > found.accuracies["remaining"] > 0.7
    about = (found.method, found.space, found.C, found.fraction, found.rows, found.generator, found.classifier)
    assert about == ("svm", "w", 0.01, 0.2, 840, "g", "c")


def test_raw_scores_need_no_boundary_at_zero():
    x_ND, scores, _ = faces(1000, 12, seed=2, noise=0.1)
    near = fit_direction(codes(x_ND), scores, "old", by_rank(scores, 0.2), 0.01)
    far = fit_direction(codes(x_ND), scores + 100, "old", by_rank(scores + 100, 0.2), 0.01)
    np.testing.assert_array_equal(near.vector, far.vector)
    assert near.accuracies == far.accuracies


def test_by_threshold_has_no_remaining_set():
    x_ND, scores, _ = faces(500, 12)
    found = fit_direction(codes(x_ND), scores, "old", by_threshold(scores, 0.5), 0.01)
    assert set(found.accuracies) == {"train", "validation", "all"}
    assert found.fraction is None


@pytest.mark.parametrize("per_layer", [False, True])
def test_w_plus_shared_and_per_layer(per_layer):
    draw = np.random.default_rng(5)
    x = draw.standard_normal((1500, 4, 10)).astype(np.float32)
    truth = draw.standard_normal((4, 10))
    if not per_layer:
        truth[:] = truth[0]
    scores = (x * truth).sum((1, 2))
    found = fit_direction(codes(x, "w+"), scores, "old", by_rank(scores, 0.3), 0.1, per_layer=per_layer)
    expected = truth if per_layer else truth[0]
    assert found.vector.shape == expected.shape
    assert (found.vector * expected).sum() / np.linalg.norm(expected) > 0.95
    distances = found.distance(codes(x, "w+")).numpy()
    assert np.corrcoef(distances, scores)[0, 1] > 0.95


@pytest.mark.parametrize("space", ["z", "s"])
def test_the_other_spaces(space):
    x_ND, scores, _ = faces(1000, 12, noise=0.1)
    found = fit_direction(codes(x_ND, space), scores, "old", by_rank(scores, 0.3), 0.1)
    assert found.space == space
    assert np.corrcoef(found.distance(codes(x_ND, space)), scores)[0, 1] > 0.95


def test_as_released_is_two_hundredths_and_1_without_the_intercept():
    x_ND, scores, _ = faces(2000, 12)
    found = fit_as_released(FitInputs(codes(x_ND), scores, "old", seed=4))
    classes = by_rank(scores, 0.02, 4)
    released = SVC(kernel="linear").fit(x_ND[classes.train.rows], classes.train.positive)  # C = 1 by default
    np.testing.assert_allclose(found.vector, released.coef_[0] / np.linalg.norm(released.coef_), atol=1e-6)
    assert (found.intercept, found.C, found.fraction, found.rows) == (0.0, 1.0, 0.02, 56)
    assert released.intercept_[0] != 0


def test_what_cannot_be_fitted():
    x_ND, scores, _ = faces(200, 6)
    classes = by_rank(scores, 0.3)
    with pytest.raises(SpecError, match="200 codes and 199 scores"):
        fit_direction(codes(x_ND), scores[:199], "old", classes, 1.0)
    with pytest.raises(SpecError, match="199 rows, classes of 200 rows"):
        fit_direction(codes(x_ND[:199]), scores[:199], "old", classes, 1.0)
    broken = x_ND.copy()
    broken[7, 2] = np.nan
    with pytest.raises(SpecError, match=r"the code of row 7 is not finite \(1 such rows\)"):
        fit_direction(codes(broken), scores, "old", classes, 1.0)
    with pytest.raises(SpecError, match="codes in w have no layers"):
        features(codes(x_ND), per_layer=True)
    with pytest.raises(SpecError, match="codes in w have 2 dimensions"):
        Codes("w", torch.zeros(3, 4, 5))


# -- what is asked of the method --------------------------------------------------------------------------------------


def test_the_cs_to_choose_from_follow_the_scale_of_the_codes():
    x_ND, scores, _ = faces(2000, 12, seed=3)
    found = Config().fit(FitInputs(codes(x_ND), scores, "old"))
    square = float(np.square(x_ND - x_ND.mean(0)).sum(axis=1).mean())
    np.testing.assert_allclose([cell.C * square for cell in found.tried], CS_OF_UNIT_ROWS, rtol=0.05)
    scaled = Config().fit(FitInputs(codes(100 * x_ND), scores, "old")).direction
    assert pytest.approx(found.direction.C, rel=0.05) == scaled.C * 1e4
    assert scaled.vector @ found.direction.vector > 0.9999
    assert scaled.accuracies == pytest.approx(found.direction.accuracies, abs=5e-3)


@pytest.mark.parametrize(("rows", "fraction"), [(4000, 0.2), (750, 0.2), (500, 0.3), (200, 0.5)])
def test_the_default_takes_150_rows_of_each_class_where_there_are_as_many(rows, fraction):
    x_ND, scores, _ = faces(rows, 8)
    assert Config().fit(FitInputs(codes(x_ND), scores, "old")).direction.fraction == fraction


@pytest.mark.parametrize(
    ("asked", "tries"),
    [
        ({}, 7),
        ({"C": 1.0}, 1),
        ({"fraction": 0.1}, 7),
        ({"threshold": 0.0}, 7),
        ({"C": 1.0, "threshold": 0.0}, 0),
        ({"C": 1.0, "fraction": 0.1}, 0),
        ({"as_released": True}, 0),
    ],
)
def test_what_is_tried(asked, tries):
    x_ND, scores, _ = faces(1000, 8)
    config = Config(**asked)
    config.check(scores, 0)
    assert (config.keeps_tried, len(config.fit(FitInputs(codes(x_ND), scores, "old")).tried)) == (tries > 0, tries)


@pytest.mark.filterwarnings("ignore:something else")
def test_only_the_limit_of_the_solver_is_told(monkeypatch):
    from pipeline.directions import svm as module

    x_ND, scores, _ = faces(500, 8)
    kept = module.fit

    def warned(*given):
        warnings.warn("something else", RuntimeWarning, stacklevel=1)
        return kept(*given)

    monkeypatch.setattr(module, "fit", warned)
    assert Config(C=0.01, fraction=0.5).fit(FitInputs(codes(x_ND), scores, "old")).counters == {}
    monkeypatch.setattr(module, "fit", lambda *given: kept(*given, passes=2))
    assert Config(C=10, fraction=0.5).fit(FitInputs(codes(x_ND), scores, "old")).counters == {UNCONVERGED: 1.0}
    assert {UNCONVERGED, NEXT_BEST} == set(Config.NOTES)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"as_released": True, "C": 1}, "--as-released decides it: leave out --C"),
        ({"margin": 0.1, "C": 1}, "--margin is for choosing C: leave out one of the two"),
        ({"class_weight": "balanced", "fraction": 0.2}, "--class-weight goes with no --fraction"),
        ({"C": 0}, "greater than 0"),
        ({"fraction": 0.6}, "less than or equal to 0.5"),
    ],
)
def test_what_does_not_go_together(asked, message):
    with pytest.raises(ValidationError, match=message):
        Config(**asked)
