import numpy as np
import pytest

from pipeline.directions.compare import correlations, cosines
from pipeline.errors import SpecError
from tests.pipeline.directions.made import direction


def test_cosines_are_those_of_the_vectors():
    vectors = np.random.default_rng(1).standard_normal((4, 9))
    found = cosines([direction(vector, f"a{k}") for k, vector in enumerate(vectors)])
    norms = np.linalg.norm(vectors, axis=1)
    assert found.names == ("a0", "a1", "a2", "a3")
    np.testing.assert_allclose(found.values, vectors @ vectors.T / np.outer(norms, norms), atol=1e-6)
    np.testing.assert_array_equal(np.diag(found.values), 1.0)


def test_correlations_are_pearsons():
    scores = np.random.default_rng(2).standard_normal((500, 3)).astype(np.float32) @ np.array(
        [[1, 1, 0], [0, 1, 0], [0, 0, 2]]
    )
    found = correlations({"smile": scores[:, 0], "old": scores[:, 1], "yaw": scores[:, 2:]})
    np.testing.assert_allclose(found.values, np.corrcoef(scores.T), atol=1e-12)
    assert found.names == ("smile", "old", "yaw")


def test_what_cannot_be_compared():
    a = direction([1.0, 0], "a")
    for others, message in [
        ([], "no direction to compare"),
        ([a, direction([1.0, 0], "b", "z")], "a is in w .* b in z"),
        ([a, direction([1.0, 0, 0], "b")], r"shape \(2,\), b in w of shape \(3,\)"),
        ([a, a], "a is there more than once"),
        ([direction([1.0], "a", generator="x"), direction([1.0], "b", generator="y")], "2 different generators"),
    ]:
        with pytest.raises(SpecError, match=message):
            cosines(others)
    for scores, message in [
        ({}, "no scores"),
        ({"a": [1, 2, 3], "b": [1, 2]}, "have 2, 3 rows"),
        ({"a": [1, 2], "b": [1, np.nan]}, "b: the score of row 1 is nan"),
        ({"a": [1, 2], "b": [1, 1]}, "b: all 2 scores are 1"),
    ]:
        with pytest.raises(SpecError, match=message):
            correlations(scores)
