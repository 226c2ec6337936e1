"""Mean gradients against the definition, written down once more in float64; sums that merge; boundaries."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.directions.mean_gradient import (
    GradientSum,
    accuracies,
    mean_direction,
    unit_gradients,
    with_boundary,
)
from pipeline.editors.gradients import score_gradients
from pipeline.errors import SpecError
from pipeline.models.codes import Codes
from tests.pipeline.directions.made import codes
from tests.pipeline.editors import faces64

ROWS = 5


def one_by_one(space, attribute, shared=False):
    """Sec. 3.2 of the paper, a face at a time: the mean of d_X(z), Eq. 4, with bce and the target 1; normalised."""
    found = []
    for row in faces64.codes(space, ROWS).values:
        x = row.clone().requires_grad_()
        loss = -torch.log(torch.sigmoid(faces64.scores(Codes(space, x[None]))[attribute][0]))
        (gradient,) = torch.autograd.grad(loss, x)
        gradient = -gradient.sum(dim=0) if shared else -gradient
        found.append(gradient / gradient.norm())
    mean = torch.stack(found).mean(dim=0)
    return (mean / mean.norm()).numpy()


@pytest.mark.parametrize(("space", "shared"), [("w", False), ("w+", True), ("w+", False), ("s", False)])
def test_it_is_the_mean_of_the_instance_specific_directions(space, shared):
    wanted = [[(name, 1.0) for name in faces64.ATTRIBUTES]] * ROWS
    _, gradients = score_gradients(faces64.scores, faces64.codes(space, ROWS), wanted)
    for place, name in enumerate(faces64.ATTRIBUTES):
        units, _ = unit_gradients(gradients[:, place], shared)
        summed = GradientSum.of(units[:2]).merge(GradientSum.of(units[2:]))
        direction = mean_direction(name, space, summed, classifier="c", generator="g")
        np.testing.assert_allclose(direction.vector, one_by_one(space, name, shared), rtol=0, atol=1e-7)
        assert (direction.method, direction.space, direction.rows) == ("mean-gradient", space, ROWS)
        assert (direction.classifier, direction.generator, direction.intercept) == ("c", "g", 0.0)


def test_every_face_weighs_the_same_however_steep_its_score():
    gradients = np.array([[1e-30, 0.0], [0.0, 1e30]])
    units, norms = unit_gradients(gradients)
    np.testing.assert_array_equal(units, np.eye(2))
    np.testing.assert_array_equal(norms, [1e-30, 1e30])
    np.testing.assert_allclose(mean_direction("old", "w", GradientSum.of(units)).vector, [0.5**0.5] * 2)


def test_a_flat_score_is_not_counted_and_what_is_not_finite_is_seen():
    units, norms = unit_gradients([[0.0, 0.0], [3.0, 4.0], [np.inf, 0.0], [np.nan, 0.0]])
    np.testing.assert_array_equal(units[:2], [[0.0, 0.0], [0.6, 0.8]])
    assert norms[:2].tolist() == [0.0, 5.0]
    assert np.isnan(norms[2:]).all()
    assert np.isnan(units[2:]).any(axis=1).all()
    assert GradientSum.of(units[:2]).count == 1
    with pytest.raises(SpecError, match="gradient of row 2 is not finite"):
        GradientSum.of(units)


@given(st.lists(st.integers(0, 60), max_size=6), st.integers(0, 999))
@settings(max_examples=30)
def test_sums_do_not_depend_on_the_shards(cuts, seed):
    units, _ = unit_gradients(np.random.default_rng(seed).standard_normal((60, 3, 4)))
    whole = GradientSum.of(units)
    parts = [GradientSum.of(part) for part in np.split(units, sorted(cuts))]
    merged = parts[0]
    for part in parts[1:]:
        merged = merged.merge(part)
    backwards = parts[-1]
    for part in parts[-2::-1]:
        backwards = backwards.merge(part)
    assert whole.count == merged.count == backwards.count == 60
    np.testing.assert_allclose(merged.total, whole.total, rtol=0, atol=1e-12)
    np.testing.assert_allclose(backwards.total, whole.total, rtol=0, atol=1e-12)
    nothing = GradientSum.of(units[:0])
    assert nothing.count == 0
    np.testing.assert_array_equal(nothing.merge(whole).total, whole.total)


def test_what_has_no_mean():
    with pytest.raises(SpecError, match=r"shapes \(2,\) and \(3,\)"):
        GradientSum.of(np.eye(2)).merge(GradientSum.of(np.eye(3)))
    with pytest.raises(SpecError, match="old: no row gave a gradient"):
        mean_direction("old", "w", GradientSum.of(np.zeros((4, 2))))
    with pytest.raises(SpecError, match="direction of old has norm 0"):
        mean_direction("old", "w", GradientSum.of([[1.0, 0.0], [-1.0, 0.0]]))


# -- the boundary -----------------------------------------------------------------------------------------------------


@pytest.fixture
def rows():
    """300 codes, scores that are 0 at a distance of 2 along the vector, with noise that is not along it."""
    noise = np.random.default_rng(4)
    x_ND = 3.0 + noise.standard_normal((300, 8))
    direction = mean_direction("old", "w", GradientSum.of(noise.standard_normal((5, 8))))
    along = direction.distance(codes(x_ND)).numpy()
    return direction, codes(x_ND), 0.5 * (along - 2.0) + noise.standard_normal(300)


def test_the_boundary_is_where_the_line_of_least_squares_crosses_0(rows):
    direction, x, scores = rows
    along = direction.distance(x).numpy()
    found = with_boundary(direction, along, scores)
    slope, level = np.polyfit(along, scores, 1)
    assert found.intercept == pytest.approx(level / slope)
    np.testing.assert_array_equal(found.vector, direction.vector)
    exact = with_boundary(direction, along, 0.5 * (along - 2.0))
    assert exact.intercept == pytest.approx(-2.0)
    np.testing.assert_allclose(exact.distance(x).numpy(), along - 2.0)


def test_accuracies_are_shares_of_the_right_side():
    assert accuracies([-1.0, 2.0, 3.0, -4.0], [False, True, False, False]) == {"all": 0.75}
    with pytest.raises(SpecError, match="no row"):
        accuracies([], [])


@pytest.mark.parametrize(
    ("along", "scores", "message"),
    [
        ([1.0, 2.0], [2.0, 1.0], "does not rise along its mean gradient from one to another of 2 rows"),
        ([1.0, 1.0], [2.0, 1.0], "does not rise"),
        ([1.0], [2.0], "does not rise"),
        ([], [], "of 0 rows"),
        ([1.0, np.nan], [1.0, 2.0], "not finite"),
        ([1.0, 2.0], [1.0, np.inf], "not finite"),
        ([1.0, 2.0], [1.0], "give as many of both"),
    ],
)
def test_what_has_no_boundary(rows, along, scores, message):
    with pytest.raises(SpecError, match=message):
        with_boundary(rows[0], along, scores)
