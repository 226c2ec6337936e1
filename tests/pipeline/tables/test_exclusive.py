"""One of many callers makes the file, on every kind of store."""

import threading
import time
import uuid
from types import SimpleNamespace

import fsspec
import pytest
from odd_stores import PlainFileSystem

from benchmarks.s3_server import s3_server
from pipeline.tables import exclusive, store


@pytest.mark.parametrize("conditions", [True, False])
def test_eight_threads_race_on_s3(conditions, monkeypatch):
    """With conditions the server answers one after another: moto has no atomic create of its own."""
    monkeypatch.setattr(exclusive, "_conditional_stores", {})
    with s3_server("faces", one_at_a_time=conditions, conditions=conditions):
        race_of_threads(f"s3://faces/{uuid.uuid4().hex}", monkeypatch)
        assert list(exclusive._conditional_stores.values()) == [conditions]


@pytest.mark.parametrize("where", ["plain", "memory"])
def test_eight_threads_race(where, monkeypatch):
    """What a caller saw of the file may be old when it goes on: the plain store is slow to answer."""
    exists = PlainFileSystem.exists

    def slow(fs, path, **options):
        found = exists(fs, path, **options)
        time.sleep(0.05)
        return found

    monkeypatch.setattr(PlainFileSystem, "exists", slow)
    race_of_threads(f"{where}://{uuid.uuid4().hex}", monkeypatch)


def race_of_threads(place, monkeypatch):
    claimed = threading.Barrier(8)

    def sleep(seconds):
        """The moment in which others may claim it too is over when all have, however slow the machine is."""
        claimed.wait() if seconds == exclusive.CLAIM_SECONDS else time.sleep(seconds)

    monkeypatch.setattr(exclusive, "time", SimpleNamespace(sleep=sleep, monotonic=lambda: 0.0))
    for number in range(3):
        url, gate, won = store.join(place, str(number)), threading.Barrier(8), []

        def attempt(who, url=url, gate=gate, won=won):
            gate.wait()
            if store.create_exclusive(url, b"%d" % who):
                won.append(who)
            else:
                assert store.read_bytes(url) is not None

        threads = [threading.Thread(target=attempt, args=(who,)) for who in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1
        assert store.read_bytes(url) == b"%d" % won[0]
    assert sorted(store.list_names(place)) == ["0", "1", "2"]


def test_the_store_is_asked_once_whether_it_heeds_the_condition(bucket, monkeypatch):
    monkeypatch.setattr(exclusive, "_conditional_stores", {})
    asked = []
    monkeypatch.setattr(exclusive, "_accepts_again", lambda fs, probe: asked.append(probe) or False)
    assert all(store.create_exclusive(store.join(bucket, str(number)), b"1") for number in range(3))
    assert len(asked) == 1
    assert sorted(store.list_names(bucket)) == ["0", "1", "2"]


@pytest.mark.parametrize("holder", ["mine", "yours"])
def test_an_answer_that_was_lost(bucket, monkeypatch, holder):
    """The first try fails after the file was made: by us, or by another who had the same bytes in mind."""
    url = store.join(bucket, "lease")
    store.create_exclusive(store.join(bucket, "first"), b"")  # the store has been asked what it heeds
    fs, calls = fsspec.filesystem("s3"), []
    real = fs.pipe_file

    def lose(path, content, **options):
        calls.append(path)
        if len(calls) == 1:
            real(path, content, **(options if holder == "mine" else {}))
            raise ConnectionResetError("the answer was lost")
        return real(path, content, **options)

    monkeypatch.setattr(fs, "pipe_file", lose)
    assert store.create_exclusive(url, b"bytes") is (holder == "mine")
    assert len(calls) == 2


def test_a_claim_left_by_a_killed_caller_is_in_nobodys_way():
    url = f"plain://{uuid.uuid4().hex}/lease"
    PlainFileSystem().pipe_file(url.removeprefix("plain://") + ".claim", b"of a dead one")
    assert store.create_exclusive(url, b"1") is True
    assert store.create_exclusive(url, b"2") is False
    assert list(store.list_names(url.rsplit("/", 1)[0])) == ["lease"]
