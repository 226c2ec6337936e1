"""Which steps of a trace are kept."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from pipeline.editors.trace import NO_STEP, Trace


def trace(steps) -> Trace:
    steps = torch.tensor(steps)
    return Trace("w", torch.zeros(*steps.shape, 2), steps, steps.double(), {}, ("done",) * len(steps))


@given(
    ends=st.lists(st.integers(-1, 6), min_size=1, max_size=5),
    kept=st.sets(st.integers(0, 6), min_size=1).map(sorted),
)
def test_a_row_has_the_kept_steps_up_to_its_last_which_stands_for_the_next(ends, kept):
    steps = [[step if step <= end else NO_STEP for step in range(7)] for end in ends]
    for found, end in zip(trace(steps).places(kept).tolist(), ends, strict=True):
        before = [NO_STEP, *kept[:-1]]
        assert found == [min(step, end) if last < end else NO_STEP for step, last in zip(kept, before, strict=True)]


def test_a_step_that_is_not_there_is_none():
    assert trace([[0, NO_STEP, 2]]).places((0, 1, 2)).tolist() == [[0, NO_STEP, 2]]
