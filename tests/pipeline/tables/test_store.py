"""Files anywhere: whole or not at all, and errors that a person can act on."""

import errno
import os
import threading
from pathlib import Path

import pytest
import s3fs

from pipeline.errors import SpecError, StoreError
from pipeline.tables import store
from tests.waiting import LONG


def test_write_read_list_delete(place):
    url = store.join(place, "a folder", "a.json")
    assert store.read_bytes(url) is None
    assert store.read_json(url) is None
    assert store.list_names(store.join(place, "a folder")) == {}
    assert not store.exists(url)
    store.write_atomic(url, b'{"a": 1}')
    assert store.read_json(url) == {"a": 1}
    store.write_atomic(url, b"[1]")
    store.write_atomic(store.join(place, "a folder", ".b"), b"")
    store.write_atomic(store.join(place, "a folder", "below", "c"), b"123")
    assert store.read_json(url) == [1]
    assert store.list_names(store.join(place, "a folder")) == {"a.json": 3, ".b": 0}
    assert store.exists(url)
    assert store.exists(store.join(place, "a folder"))
    store.delete(url)
    store.delete(url)
    assert store.list_names(store.join(place, "a folder") + "/") == {".b": 0}


def test_an_object_is_there_whole_or_not_at_all_and_null_is_none(tmp_path, monkeypatch):
    url = str(tmp_path / "a.json")
    monkeypatch.setattr(store, "exists", lambda url: True)  # as where it is created in the moment after
    assert store.read_object(url, "an example", {"a": int}, "do x") is None
    store.write_atomic(url, b'{"a": 1}')
    assert store.read_object(url, "an example", {"a": int}, "do x") == {"a": 1}
    for content in (b"null", b"[]", b"{}", b'{"a": "1"}', b"{", b""):
        store.write_atomic(url, content)
        with pytest.raises(StoreError, match=r"a\.json is .*do x$"):
            store.read_object(url, "an example", {"a": int}, "do x")


def test_create_exclusive_is_for_one(place):
    url = store.join(place, "lease")
    assert store.create_exclusive(url, b"mine") is True
    assert store.create_exclusive(url, b"yours") is False
    assert store.read_bytes(url) == b"mine"
    store.delete(url)
    assert store.create_exclusive(url, b"yours") is True
    assert list(store.list_names(place)) == ["lease"]


def test_create_exclusive_among_threads(tmp_path):
    """One of 16 wins, and its content is there whole for whoever looks."""
    for attempt in range(20):
        url, won, gate = str(tmp_path / str(attempt)), [], threading.Barrier(16)

        def attempt_it(who: int, url: str = url, won: list = won, gate: threading.Barrier = gate) -> None:
            gate.wait()
            if store.create_exclusive(url, b"%d" % who * 4096):
                won.append(who)
            else:
                assert len(store.read_bytes(url)) in (4096, 8192)

        threads = [threading.Thread(target=attempt_it, args=(who,)) for who in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1
        assert store.read_bytes(url) == b"%d" % won[0] * 4096
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_other_workers_files_are_seen(bucket):
    """A listing kept from before would hide what another process has published since."""
    assert store.list_names(bucket) == {}
    s3fs.S3FileSystem(skip_instance_cache=True).pipe_file(f"{bucket}/new", b"1")
    assert store.list_names(bucket) == {"new": 1}
    assert store.exists(f"{bucket}/new")


@pytest.mark.parametrize(
    ("url", "names", "joined"),
    [
        ("out", ["a", "b"], "out/a/b"),
        ("/", ["a"], "/a"),
        ("s3://bucket/", ["x y"], "s3://bucket/x y"),
        ("memory://", ["a"], "memory://a"),
    ],
)
def test_join(url, names, joined):
    assert store.join(url, *names) == joined


def test_canonical_json():
    assert store.canonical_json({"b": [1, 0.7, None], "a": "é"}) == '{"a":"é","b":[1,0.7,null]}'.encode()
    with pytest.raises(ValueError, match="JSON"):
        store.canonical_json(float("nan"))


def test_unknown_places_are_told():
    with pytest.raises(SpecError, match=r"nowhere://x: Protocol not known.*s3://"):
        store.list_names("nowhere://x")


def test_missing_bucket_is_told(bucket):
    for action in (store.write_atomic, store.create_exclusive):
        with pytest.raises(StoreError, match=r"cannot .* s3://no-such-bucket/x: not there .*bucket"):
            action("s3://no-such-bucket/x", b"1")


def test_missing_credentials_are_told(bucket, monkeypatch, tmp_path):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(StoreError, match=r"cannot write s3://.*: no credentials"):
        store.write_atomic(f"{bucket}/x", b"1")


def test_a_file_in_the_way_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    for url in (tmp_path / "file" / "x", tmp_path / "file" / "x" / "y"):
        with pytest.raises(StoreError, match=r"cannot write .*file.* another place"):
            store.write_atomic(str(url), b"1")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_no_permission_is_told(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StoreError, match="permission denied"):
        store.write_atomic(str(tmp_path / "x"), b"1")


@pytest.mark.parametrize(("number", "message"), [(errno.ENOSPC, "the disk is full"), (errno.EROFS, "read-only")])
def test_disk_errors_leave_the_old_file_and_nothing_else(tmp_path, monkeypatch, number, message):
    url = str(tmp_path / "spec.json")
    store.write_atomic(url, b"old")

    def fail(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    for action in (store.write_atomic, store.create_exclusive):
        with pytest.raises(StoreError, match=f"{url}: .*{message}"):
            action(url, b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["spec.json"]
    assert store.read_bytes(url) == b"old"


def test_replace_that_fails_leaves_no_staged_file(tmp_path, monkeypatch):
    def fail(_: Path, __: object) -> None:
        raise OSError(errno.EIO, "I/O error")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(StoreError, match="input/output error"):
        store.write_atomic(str(tmp_path / "x"), b"1")
    assert list(tmp_path.iterdir()) == []


def test_json_that_is_none(tmp_path):
    (tmp_path / "spec.json").write_bytes(b'{"a": ')
    with pytest.raises(StoreError, match=r"spec\.json is not JSON"):
        store.read_json(str(tmp_path / "spec.json"))


def test_list_many_is_the_listing_of_each_in_order(place):
    urls = [store.join(place, name) for name in ("a", "none", "b", "c", "a")]
    for count, url in enumerate(urls[:4]):
        for number in range(count if url != urls[1] else 0):
            store.write_atomic(store.join(url, f"{number}"), b"1" * count)
    store.write_atomic(store.join(urls[0], ".x"), b"12")
    b, c = {"0": 2, "1": 2}, {"0": 3, "1": 3, "2": 3}
    assert store.list_many(urls) == [{".x": 2}, {}, b, c, {".x": 2}]
    assert store.list_many([]) == []


def test_list_many_asks_s3_for_all_at_once(bucket, monkeypatch):
    urls = [store.join(bucket, name) for name in ("a", "b", "c", "d")]
    for url in urls[:3]:
        store.write_atomic(store.join(url, "x"), b"1")
    together, real = threading.Barrier(4), s3fs.S3FileSystem.call_s3

    def call_s3(self, method, **question):
        together.wait(timeout=LONG)
        return real(self, method, **question)

    monkeypatch.setattr(s3fs.S3FileSystem, "call_s3", call_s3)
    assert store.list_many(urls) == [{"x": 1}, {"x": 1}, {"x": 1}, {}]


@pytest.mark.parametrize(
    ("url", "parent"),
    [("s3://bucket/x/latents", "s3://bucket/x"), ("/a/b/", "/a"), ("/a", ""), ("out/fit", "out"), ("directions", ".")],
)
def test_what_is_beside_a_directory_is_found_from_its_parent(url, parent):
    assert store.parent(url) == parent
    assert store.join(store.parent("/a"), "grids") == "/grids"
