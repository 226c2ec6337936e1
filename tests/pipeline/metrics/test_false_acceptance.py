"""The threshold of one person: against a loop over all pairs."""

import numpy as np
import pytest

from pipeline.errors import SpecError
from pipeline.metrics.false_acceptance import Threshold, threshold

FACES = 70


def embedded(seed=3, faces=FACES):
    return np.random.default_rng(seed).normal(size=(faces, 8)) + 1.0


def pairs(name, embeddings):
    """Each pair of different faces, one after the other."""
    found = []
    for first in range(len(embeddings)):
        for second in range(first):
            a, b = embeddings[first], embeddings[second]
            cosine = a @ b / np.sqrt((a @ a) * (b @ b))
            found.append(cosine if name == "identity" else np.sqrt(((a - b) ** 2).sum()))
    return np.array(found)


@pytest.mark.parametrize("name", ["identity", "identity_dlib"])
@pytest.mark.parametrize("rate", [0.001, 0.02, 0.1])
def test_no_larger_share_of_the_pairs_is_accepted(name, rate):
    found = threshold(name, embedded(), rate)
    numbers = pairs(name, embedded())
    assert found.pairs == len(numbers) == FACES * (FACES - 1) // 2
    accepted = found.same(numbers)
    assert accepted.sum() == found.accepted == int(rate * len(numbers))
    kept = np.sort(numbers)[::-1] if name == "identity" else np.sort(numbers)
    last, next_one = kept[found.accepted - 1 : found.accepted + 1]  # one pair more were too many
    assert found.value == pytest.approx((last + next_one) / 2)
    assert found.low <= found.value <= found.high


def test_the_interval_is_of_other_faces():
    """Of thresholds from other faces of the same kind, most lie in it."""
    found = threshold("identity_dlib", embedded(), 0.02)
    others = [threshold("identity_dlib", embedded(seed), 0.02, resamples=1).value for seed in range(10, 50)]
    assert np.mean([found.low <= other <= found.high for other in others]) > 0.7


def test_faces_that_were_not_found_are_left_out():
    some = embedded()
    some[5] = some[11] = np.nan
    found = threshold("identity_dlib", some)
    assert found.faces == FACES - 2
    assert found.value == threshold("identity_dlib", np.delete(some, [5, 11], axis=0)).value
    assert np.isnan(found.same([np.nan, 0.0])).tolist() == [True, False]


def test_too_few_faces_are_said():
    with pytest.raises(SpecError, match=r"45 faces make 990 pairs.*0.1 %.*give 46 faces or more"):
        threshold("identity", embedded(faces=45))
    assert threshold("identity", embedded(faces=46)).pairs == 1035
    with pytest.raises(SpecError, match="mse does not say whose face it is"):
        threshold("mse", embedded())


def test_an_edit_without_a_face_keeps_nobody():
    one = Threshold("identity_dlib", 0.5, 0.4, 0.6, 0.001, 60, 1770, 1)
    values_NP = np.array([[0.0, 0.2, 0.7], [0.0, np.nan, 0.1], [np.nan, np.nan, np.nan]])
    np.testing.assert_array_equal(one.kept(values_NP), [[1, 1, 0], [1, 0, 1], [np.nan] * 3])
