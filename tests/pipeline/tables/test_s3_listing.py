"""Listings of S3: all pages, files alone, names as they are; and a client that others find as it was."""

from xml.etree import ElementTree

import fsspec
import pytest
import s3fs

from pipeline.tables import store
from pipeline.tables.s3_listing import _page

ODD = ["a & b <c>.json", "d%20e.json", "ü+?#.json", ".hidden"]


@pytest.fixture
def fs(bucket):
    return fsspec.filesystem("s3")


@pytest.fixture
def small_pages(monkeypatch):
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "3")


def test_names_and_sizes_of_the_files_directly_in_a_directory(bucket, fs):
    for size, name in enumerate(ODD):
        fs.pipe_file(f"{bucket}/{name}", b"1" * size)
    fs.pipe_file(f"{bucket}/below/deeper.json", b"1")
    fs.pipe_file(f"{bucket} beside.json", b"1")
    fs.call_s3("put_object", Bucket="faces", Key=f"{bucket.removeprefix('s3://faces/')}/")
    files = {name: size for size, name in enumerate(ODD)}
    assert store.list_names(bucket) == store.list_names(f"{bucket}/") == files
    assert store.list_names(f"{bucket}/{ODD[0]}") == {}  # a file is no directory


def test_no_bucket_and_no_file(bucket):
    assert store.list_names("s3://there-is-none/x") == {}
    assert store.list_names(bucket) == {}


def test_every_page_is_asked_for_once(bucket, fs, small_pages, monkeypatch):
    files = {f"{number}.json": number for number in range(10)}
    for name, size in files.items():
        fs.pipe_file(f"{bucket}/{name}", b"1" * size)
    asked, real = [], s3fs.S3FileSystem.call_s3

    def call_s3(self, method, **question):
        asked.append(method)
        return real(self, method, **question)

    monkeypatch.setattr(s3fs.S3FileSystem, "call_s3", call_s3)
    assert store.list_names(bucket) == files
    assert asked == ["list_objects_v2"] * 4


def test_a_page_that_fails_is_asked_for_again_alone(bucket, fs, small_pages, monkeypatch):
    for number in range(10):
        fs.pipe_file(f"{bucket}/{number}.json", b"1")
    tokens, real = [], s3fs.S3FileSystem.call_s3

    def call_s3(self, method, **question):
        tokens.append(question.get("ContinuationToken"))
        if len(tokens) == 3:
            raise ConnectionResetError("the answer was lost")
        return real(self, method, **question)

    monkeypatch.setattr(s3fs.S3FileSystem, "call_s3", call_s3)
    assert len(store.list_names(bucket)) == 10
    assert len(tokens) == 5
    assert tokens[2] == tokens[3]


def test_others_who_list_through_the_client_get_all_that_they_are_used_to(bucket, fs):
    fs.pipe_file(f"{bucket}/x.json", b"1")
    fs.pipe_file(f"{bucket}/below/y.json", b"1")
    before = fs.ls(bucket, detail=True, refresh=True)
    prefix = f"{bucket.removeprefix('s3://faces/')}/"
    page = _page(fs, {"Bucket": "faces", "Prefix": prefix, "Delimiter": "/"})
    assert page["Contents"] == [{"Key": f"{prefix}x.json", "Size": 1}]
    assert fs.ls(bucket, detail=True, refresh=True) == before
    assert {"LastModified", "ETag"} <= next(entry for entry in before if entry["type"] == "file").keys()


@pytest.mark.parametrize(
    ("odd", "requests"),
    [(lambda body: body[: len(body) // 2], 2), (lambda body: ElementTree.tostring(ElementTree.fromstring(body)), 1)],
    ids=["torn", "prefixed"],
)
def test_an_odd_page_is_left_to_botocore(bucket, fs, odd, requests):
    """A torn one is asked for again; one whose tags have a prefix is read."""
    fs.pipe_file(f"{bucket}/x.json", b"12")
    bodies = []

    def spoil(response_dict, **_):
        bodies.append(response_dict["body"])
        if len(bodies) == 1:
            response_dict["body"] = odd(response_dict["body"])

    fs.connect()
    fs.s3.meta.events.register("before-parse.*.ListObjectsV2", spoil)
    try:
        assert store.list_names(bucket) == {"x.json": 2}
    finally:
        fs.s3.meta.events.unregister("before-parse.*.ListObjectsV2", spoil)
    assert len(bodies) == requests
