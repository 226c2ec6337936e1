"""Open choices: how many workers."""

from types import SimpleNamespace

import pytest

from jobs import resolve as resolve_module
from jobs.options import RunFlags
from jobs.resolve import resolve


@pytest.fixture
def workers(tmp_path, monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(resolve_module.torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(resolve_module.torch.cuda, "is_available", lambda: True)

    def chosen(**flags):
        spec = RunFlags(out=str(tmp_path), **{"device": "cuda", "threads": 1, "batch_size": 4, **flags})
        return resolve(spec, "dataset", SimpleNamespace(resolution=32))[2]

    return chosen


def test_here_there_is_one_worker_for_each_gpu(workers, monkeypatch):
    assert (workers(), workers(device="cpu"), workers(local=True)) == (2, 1, 1)
    monkeypatch.setenv("RAY_ADDRESS", "")
    assert workers() == 2


def test_elsewhere_there_are_as_many_as_there_is_room_for(workers, monkeypatch):
    assert workers(address="head:6379") is None
    assert workers(address="head:6379", device="cpu") is None
    assert workers(address="local") == 2
    monkeypatch.setenv("RAY_ADDRESS", "head:6379")  # as the job server sets it
    assert workers() is None
    assert workers(local=True) == 1


def test_what_is_asked_is_taken(workers):
    assert (workers(workers=3, address="head:6379"), workers(workers="auto")) == (3, None)
