import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from pipeline.directions.conditional import project
from pipeline.errors import SpecError
from tests.pipeline.directions.made import codes, direction

CASES = {"z": (16,), "w": (16,), "w+": (3, 6), "s": (30,)}
several = st.tuples(st.sampled_from(sorted(CASES)), st.integers(0, 10**6), st.integers(1, 5))


def _made(space, seed, count, generator=None):
    draw = np.random.default_rng(seed)
    made = [
        direction(
            draw.standard_normal(CASES[space]), f"a{k}", space, intercept=draw.standard_normal(), generator=generator
        )
        for k in range(count + 1)
    ]
    return made[0], made[1:]


def _flat(found):
    return found.vector.astype(np.float64).ravel()


@given(several)
@settings(max_examples=60)
def test_orthogonal_to_every_condition_and_of_norm_1(case):
    primal, conditions = _made(*case)
    found = project(primal, conditions)
    assert np.linalg.norm(_flat(found)) == pytest.approx(1, abs=1e-6)
    for condition in conditions:
        assert abs(_flat(found) @ _flat(condition)) < 1e-6
    assert found.conditions == tuple(condition.attribute for condition in conditions)
    assert _flat(found) @ _flat(primal) > 0


@given(several)
@settings(max_examples=40)
def test_the_order_does_not_matter_nor_doing_it_twice(case):
    primal, conditions = _made(*case)
    found = project(primal, conditions)
    for other in (project(primal, conditions[::-1]), project(found, conditions)):
        np.testing.assert_allclose(other.vector, found.vector, atol=1e-6)
        assert other.intercept == pytest.approx(found.intercept, abs=1e-5)


@given(st.integers(0, 10**6))
@settings(max_examples=40)
def test_the_closed_forms_for_one_and_two(seed):
    primal, (first, second) = _made("w", seed, 2)
    n, p, q = map(_flat, (primal, first, second))
    one = n - (n @ p) * p
    np.testing.assert_allclose(project(primal, [first]).vector, one / np.linalg.norm(one), atol=1e-6)
    c = p @ q
    assume(abs(c) < 0.99)
    two = n - (n @ p - n @ q * c) / (1 - c * c) * p - (n @ q - n @ p * c) / (1 - c * c) * q
    np.testing.assert_allclose(project(primal, [first, second]).vector, two / np.linalg.norm(two), atol=1e-6)


@given(several)
@settings(max_examples=40)
def test_the_boundary_stays_where_all_conditions_are_at_theirs(case):
    """The intercept: the distance is the same combination of the distances as the vector is of the vectors."""
    primal, conditions = _made(*case)
    found = project(primal, conditions)
    everything = np.stack([_flat(each) for each in (primal, *conditions)])
    on_all = -np.linalg.pinv(everything) @ [each.intercept for each in (primal, *conditions)]
    assume(np.abs(on_all).max() < 100)
    here = codes(on_all.reshape(1, *primal.vector.shape), primal.space)
    assert abs(float(found.distance(here))) < 1e-3


def test_a_shared_condition_of_a_primal_of_each_layer():
    draw = np.random.default_rng(4)
    primal = direction(draw.standard_normal((4, 6)), "a", "w+", intercept=0.7)
    shared = direction(draw.standard_normal(6), "b", "w+", intercept=-0.3)
    found = project(primal, [shared])
    here = codes(draw.standard_normal((5, 4, 6)), "w+")
    there = codes(here.values + 3 * found.along(here).double(), "w+")
    np.testing.assert_allclose(shared.distance(here), shared.distance(there), atol=1e-5)
    sum_over_layers = 4 * shared.intercept
    as_rows = direction(np.tile(shared.vector, (4, 1)), "b", "w+", intercept=sum_over_layers)
    assert project(primal, [as_rows]).intercept == pytest.approx(found.intercept, abs=1e-5)


def test_collinear_conditions_are_named():
    primal, (first, second, third) = _made("w", 1, 3)
    again = direction(-first.vector, "again")
    with pytest.raises(SpecError, match="the conditions a1, again are collinear"):
        project(primal, [first, second, again, third])
    mixed = direction(_flat(first) + _flat(second), "mixed")
    with pytest.raises(SpecError, match="the conditions a1, a2, mixed are collinear"):
        project(primal, [first, second, third, mixed])


def test_a_primal_in_the_span_is_named():
    _, (first, second) = _made("w", 1, 2)
    inside = direction(2 * _flat(first) - _flat(second), "inside")
    with pytest.raises(SpecError, match="inside lies in the span of its conditions a1, a2"):
        project(inside, [first, second])


def test_what_cannot_be_projected():
    primal, conditions = _made("w", 1, 2, generator="one")
    with pytest.raises(SpecError, match="conditioned on nothing"):
        project(primal, [])
    with pytest.raises(SpecError, match="is in w, its condition z in z"):
        project(primal, [direction(np.ones(16), "z", "z")])
    with pytest.raises(SpecError, match="of different generators"):
        project(primal, [direction(np.ones(16), "b", generator="two")])
    with pytest.raises(SpecError, match=r"has the shape \(16,\), its condition b has \(3,\)"):
        project(primal, [direction(np.ones(3), "b")])
    with pytest.raises(SpecError, match="projected already: project a0 on a1 and a2 at once"):
        project(project(primal, conditions[:1]), conditions[1:])
