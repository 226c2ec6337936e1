"""Cosines corrected for the noise of fits: planted directions are found again behind it."""

import numpy as np
import pytest

from pipeline.directions import normalised
from pipeline.directions.reliability import Noise, disattenuated
from pipeline.errors import SpecError

D = 4000


def halves(noise, cosine=0.6, seed=0):
    """Two attributes of a known cosine, each half with noise of its own, of so many times the signal's length."""
    draw = np.random.default_rng(seed)
    a, b = np.zeros(D), np.zeros(D)
    a[0], b[:2] = 1.0, (cosine, np.sqrt(1 - cosine**2))

    def fitted(name, true, scale):
        return normalised(name, "svm", "w", true + scale * draw.standard_normal(D) / np.sqrt(D))

    return [[fitted("old", a, noise[0]), fitted("male", b, noise[1])] for _ in range(2)]


@pytest.mark.parametrize("noise", [(0.0, 0.0), (0.5, 0.5), (1.0, 0.3), (1.5, 1.5)])
def test_the_planted_cosine_comes_out_whatever_the_noise(noise):
    found = [disattenuated(*halves(noise, seed=seed)).values[0, 1] for seed in range(40)]
    assert np.mean(found) == pytest.approx(0.6, abs=0.02)
    plain = np.mean([half[0].vector @ half[1].vector for seed in range(40) for half in halves(noise, seed=seed)])
    assert noise == (0.0, 0.0) or plain < 0.58


def test_it_is_symmetric_and_1_on_the_diagonal():
    values = disattenuated(*halves((0.8, 0.4))).values
    np.testing.assert_allclose(values, values.T)
    np.testing.assert_allclose(np.diag(values), 1.0)


def test_what_cannot_be_corrected_is_refused():
    first, second = halves((0.1, 0.1))
    with pytest.raises(SpecError, match="same directions"):
        disattenuated(first, second[::-1])
    against = normalised("male", "svm", "w", -second[1].vector)
    with pytest.raises(Noise, match="do not agree on male at all"):
        disattenuated(first, [second[0], against])
