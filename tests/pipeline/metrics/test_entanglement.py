import numpy as np

from pipeline.metrics.entanglement import mean_absolute_cosine


def test_each_pair_counts_once_without_its_sign():
    cosines = np.array([[1.0, 0.5, -0.1], [0.5, 1.0, 0.0], [-0.1, 0.0, 1.0]])
    assert np.isclose(mean_absolute_cosine(cosines), 0.2)
