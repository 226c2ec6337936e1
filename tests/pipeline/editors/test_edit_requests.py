"""Requests: what they say of themselves, and what is refused."""

import math

import numpy as np
import pytest

from pipeline.editors import EditRequest
from pipeline.editors.request import distinct
from pipeline.errors import SpecError


def test_numbers_and_names_may_come_as_lists():
    request = EditRequest("old", ["male"], "flip", [1, 2], options={"lambda1": 0.75})
    assert request == EditRequest("old", ("male",), "flip", (1.0, 2.0), options={"lambda1": 0.75})
    assert request.name == "old|male"


def test_kinds_forget_the_order_of_what_is_preserved():
    a, c = EditRequest("a", ("x", "y")), EditRequest("a", ("y", "x"))
    assert a.kind == c.kind == ("a", ("x", "y"))
    assert a != c


def test_distinct_requests_are_told_by_their_options_too():
    one, other = (EditRequest("a", options={"lambda1": share}) for share in (0.0, 1.0))
    found, which = distinct([one, other, EditRequest("a", options={"lambda1": 0.0})])
    assert found == [one, other]
    assert which.tolist() == [0, 1, 0]


def test_the_strength_of_a_step_is_as_it_was_asked_for():
    assert [EditRequest("a", strengths=(1, -2)).strength(step, 1) for step in (1, 2, 3)] == [1.0, -2.0, -2.0]
    assert EditRequest("a", target="flip", strengths=(1, 2)).strength(2, -1) == -2.0
    assert EditRequest("a", target="0", until=0.5).strength(1, -1) == -0.5
    assert math.copysign(1, EditRequest("a", target="0", until=0.0).strength(1, -1)) == 1


@pytest.mark.parametrize(("target", "sides"), [("1", [1, 1, 1]), ("0", [-1, -1, -1]), ("flip", [-1, 1, 1])])
def test_the_side_that_rows_go_to(target, sides):
    assert EditRequest("a", target=target).sides(np.array([-1.0, 0.0, 1.0])).tolist() == sides


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"target": "2"}, "unknown target '2'"),
        ({"preserve": ("male", "old")}, "old cannot both change and stay"),
        ({"strengths": (1.0, math.nan)}, "strengths of old are not all finite: 1.0, nan"),
        ({"until": math.inf}, "until of old"),
        ({"options": {"lambda1": math.nan}}, "lambda1 of old"),
    ],
)
def test_what_does_not_fit_is_named(fields, message):
    with pytest.raises(SpecError, match=message):
        EditRequest("old", **fields)
