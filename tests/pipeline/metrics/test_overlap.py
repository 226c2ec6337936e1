"""Feature maps beside classes, counted by hand."""

import numpy as np
import pytest

from pipeline.metrics.overlap import intersection_over_union, strongest


def test_the_strongest_places_are_as_many_as_asked():
    map_NHW = np.random.default_rng(1).normal(size=(3, 20, 20))
    where_NHW = strongest(map_NHW)
    assert where_NHW.sum(axis=(1, 2)).tolist() == [20, 20, 20]
    for map_HW, where_HW in zip(map_NHW, where_NHW, strict=True):
        assert map_HW[where_HW].min() > map_HW[~where_HW].max()
    assert not strongest(np.zeros((1, 4, 4))).any()  # a map without any place that is stronger


def test_overlap_is_what_is_counted():
    first, second = np.zeros((2, 4, 4), bool), np.zeros((2, 4, 4), bool)
    first[:, :2], second[0, 1:3] = True, True
    found = intersection_over_union(first, second)
    assert found[0] == pytest.approx(4 / 12)
    assert np.isnan(found[1])
