"""Rows are rejected alone, and their neighbours come out as if nothing had been."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.engine.stage import Task
from pipeline.errors import ModelFileError
from pipeline.stages.microbatch import NOT_FINITE, RAISED, aligned, compute_or_reject, computed_or_rejected

B = 8


def work(poison=(), not_finite=()):
    """A computation on slots that raises where a poison slot is in it, and counts its calls."""
    calls = []

    def compute(slots):
        calls.append(slots.copy())
        if any(slots[slot] for slot in poison):
            raise ValueError("this row cannot be")
        value = np.where(slots, np.arange(len(slots)) * 10.0, 0.0).astype(np.float32)
        value[list(not_finite)] = np.nan
        return {"value": value, "pixels": np.arange(len(slots), dtype=np.uint8)}

    return compute, calls


@given(st.sets(st.integers(0, B - 1)), st.sets(st.integers(0, B - 1)), st.sets(st.integers(0, B - 1)))
def test_every_wanted_row_comes_out_once_or_is_set_aside_with_its_reason(wanted, poison, not_finite):
    indices = np.arange(100, 100 + B)
    mask = np.isin(np.arange(B), list(wanted))
    compute, calls = work(poison, not_finite)
    kept, columns, rejects = compute_or_reject(indices, mask, compute)
    reasons = {reject.index - 100: reject.reason for reject in rejects}
    assert reasons == {
        **dict.fromkeys(wanted & not_finite, NOT_FINITE),
        **dict.fromkeys(wanted & poison, RAISED),
    }
    assert (kept - 100).tolist() == sorted(wanted - poison - not_finite)
    if len(kept):
        assert columns["value"].tolist() == [10.0 * slot for slot in kept - 100]
        assert columns["pixels"].tolist() == (kept - 100).tolist()
    assert len(calls) <= 1 + 2 * len(wanted & poison) * 4


@given(st.sets(st.integers(0, B - 1), min_size=1))
def test_where_padding_alone_raises_too_it_is_no_rows_fault(wanted):
    def compute(slots):
        raise ValueError("the network is broken")

    with pytest.raises(ValueError, match="the network is broken"):
        compute_or_reject(np.arange(B), np.isin(np.arange(B), list(wanted)), compute)


@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_adjacent_bad_rows_are_set_aside_whatever_the_size_of_a_micro_batch(size):
    aside, kept = [], []
    for index in aligned(0, 16, size):
        compute, _ = work(poison=[slot for slot, row in enumerate(index) if row in (4, 5)])
        came, _, rejects = compute_or_reject(index, np.ones(size, bool), compute)
        kept += came.tolist()
        aside += [reject.index for reject in rejects]
    assert (sorted(aside), kept) == ([4, 5], [row for row in range(16) if row not in (4, 5)])


def test_the_detail_says_what_happened():
    compute, _ = work(poison={3}, not_finite={5})
    _, _, rejects = compute_or_reject(np.arange(B), np.ones(B, bool), compute)
    details = {reject.index: reject.detail for reject in rejects}
    assert details == {3: "ValueError: this row cannot be", 5: "value"}


@pytest.mark.parametrize("error", [ModelFileError("gone"), MemoryError()])
def test_what_is_no_rows_fault_goes_up(error):
    def compute(slots):
        raise error

    with pytest.raises(type(error)):
        compute_or_reject(np.arange(B), np.ones(B, bool), compute)


def test_out_of_memory_of_torch_goes_up():
    import torch

    def compute(slots):
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        compute_or_reject(np.arange(B), np.ones(B, bool), compute)


@given(st.integers(0, 200), st.integers(1, 50), st.integers(1, 16))
def test_micro_batches_are_aligned_on_the_global_index(first, rows, batch_size):
    batches = list(aligned(first, first + rows, batch_size))
    assert all(batch[0] % batch_size == 0 and len(batch) == batch_size for batch in batches)
    seen = np.concatenate(batches)
    inside = seen[(seen >= first) & (seen < first + rows)]
    assert inside.tolist() == list(range(first, first + rows))


def test_a_task_is_computed_in_aligned_micro_batches_of_the_rows_that_there_are():
    met = []

    def compute(index, slots):
        met.append(index[0])
        return {"value": index.astype(np.float32)}

    there = np.array([1, 3, 9, 10, 30])
    kept = [index.tolist() for index, _, _ in computed_or_rejected(Task(0, 1, 2, 20), 4, compute, there)]
    assert kept == [[3], [9, 10]]
    assert met == [0, 8]
    every = [index.tolist() for index, _, _ in computed_or_rejected(Task(0, 1, 2, 6), 4, compute)]
    assert every == [[2, 3], [4, 5]]
    assert [index.tolist() for index, *_ in computed_or_rejected(Task(0, 1, 2, 6, only=(4,)), 4, compute)] == [[4]]
