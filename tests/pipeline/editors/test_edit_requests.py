"""Requests by row."""

import pytest
import torch

from pipeline.editors import Requests
from pipeline.errors import SpecError


def test_one_request_for_all():
    requests = Requests.same(3, "old", [1.0, 2.0], ["male"], "flip", lambdas=(0.75, 0.0))
    assert len(requests) == 3
    assert requests.attributes == ("old",) * 3
    assert requests.conditions == (("male",),) * 3
    assert requests.targets == ("flip",) * 3
    assert requests.strengths.tolist() == [[1.0, 2.0]] * 3
    assert requests.until is None
    assert requests.lambdas.tolist() == [[0.75, 0.0]] * 3


def test_kinds_forget_the_order_of_conditions():
    requests = Requests(("a", "b", "a", "a"), (("x", "y"), (), ("y", "x"), ("x",)), ("1",) * 4)
    kinds, which = requests.kinds()
    assert kinds == [("a", ("x", "y")), ("b", ()), ("a", ("x",))]
    assert which.tolist() == [0, 1, 0, 2]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"conditions": ((),)}, "each of one length"),
        ({"targets": ("1", "2")}, "unknown target '2'"),
        ({"conditions": (("male",), ("old",))}, "old is to change and to stay"),
        ({"strengths": torch.zeros(2)}, r"strengths have the shape \(2,\)"),
        ({"until": torch.zeros(3)}, r"until have the shape \(3,\): give 1 dimensions, 2 rows"),
        ({"lambdas": torch.zeros(2, 3)}, "2 lambdas"),
        ({"strengths": torch.tensor([[1.0, 2.0], [1.0, torch.nan]])}, "strengths of row 1 are not finite"),
    ],
)
def test_what_does_not_fit_is_named(fields, message):
    plain = {"attributes": ("smile", "old"), "conditions": ((), ()), "targets": ("1", "1")}
    with pytest.raises(SpecError, match=message):
        Requests(**{**plain, **fields})
