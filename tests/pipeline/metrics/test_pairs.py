"""Which edited rows are compared with which sources."""

import numpy as np
import pytest

from pipeline.editors import EditRequest
from pipeline.errors import SpecError
from pipeline.metrics import pairs

UP = {0: EditRequest("old").sides, 1: EditRequest("old", target="flip").sides}


def found(rows, kept=None):
    """By request, step and side: index of the edited rows, index and step of their sources. rows: as named below."""
    index, request, step, strength = (np.array(column) for column in zip(*rows, strict=True))
    its = pairs(index, request, step, strength.astype(float), UP, kept)
    return {
        key: (index[edited].tolist(), index[sources].tolist(), step[sources].tolist()) for key, sources, edited in its
    }


def test_each_step_is_compared_with_its_own_source():
    rows = [(i, 0, step, step) for i in (3, 5, 9) for step in (0, 1, 2)]
    assert found(rows) == {(0, step, 1): ([3, 5, 9], [3, 5, 9], [0, 0, 0]) for step in (1, 2)}


def test_a_row_that_has_ended_counts_in_each_later_step_and_both_ways_are_apart():
    rows = [(0, 1, 0, 0), (0, 1, 1, -1), (1, 1, 0, 0), (1, 1, 1, 1), (1, 1, 2, 2)]
    assert found(rows) == {
        (1, 1, 1): ([1], [1], [0]), (1, 1, -1): ([0], [0], [0]), (1, 2, 1): ([1], [1], [0]),
    }  # fmt: skip
    assert found(rows, kept=(1, 2))[1, 2, -1] == ([0], [0], [0])


@pytest.mark.parametrize("rows", [[(0, 0, 1, 1)], [(0, 0, 0, 0), (1, 0, 1, 1)]])
def test_a_row_without_its_source_is_said(rows):
    with pytest.raises(SpecError, match="request 0 keeps no step 0"):
        found(rows)
