"""How many workers fit, and what is refused because none ever can."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engine.capacity import check_capacity, worker_capacity
from pipeline.errors import SpecError


def test_each_node_is_counted_by_what_it_lacks_most():
    nodes = [{"CPU": 8, "GPU": 2}, {"CPU": 2, "GPU": 4}, {"CPU": 64}]
    assert worker_capacity(nodes, cpus=2, gpus=1) == 2 + 1
    assert worker_capacity(nodes, cpus=2, gpus=0) == 4 + 1 + 32


def test_a_fraction_of_a_gpu_lies_on_one():
    assert worker_capacity([{"CPU": 16, "GPU": 2}], cpus=1, gpus=0.5) == 4
    assert worker_capacity([{"CPU": 16, "GPU": 2}], cpus=1, gpus=0.4) == 4
    assert worker_capacity([{"CPU": 16, "GPU": 1}], cpus=1, gpus=0.1) == 10


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([{"CPU": 4}], "each worker needs 1 GPU, the largest node of the cluster has 0"),
        ([{"CPU": 1, "GPU": 1}], "each worker needs 2 CPU, the largest node of the cluster has 1"),
        ([{"CPU": 1, "GPU": 1}, {"CPU": 8}], "needs 2 CPU and 1 GPU, and no node of the cluster has both"),
        ([], "the largest node of the cluster has 0"),
    ],
)
def test_what_can_never_be_placed_is_refused(nodes, message):
    with pytest.raises(SpecError, match=message):
        check_capacity(nodes, cpus=2, gpus=1)


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 4))), st.integers(1, 4), st.sampled_from([0, 0.25, 0.5, 1, 2])
)
def test_what_fits_uses_no_more_than_there_is(nodes, cpus, gpus):
    for node in [{"CPU": float(cpu), "GPU": float(gpu)} for cpu, gpu in nodes]:
        places = worker_capacity([node], cpus, gpus)
        assert places * cpus <= node["CPU"]
        assert places * gpus <= node["GPU"]
