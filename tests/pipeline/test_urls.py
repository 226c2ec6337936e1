"""What cannot be meant as a path or URL is told, with what to write; everything else passes."""

import pytest

from pipeline.errors import SpecError
from pipeline.tables import Table, store
from pipeline.urls import mistake


@pytest.mark.parametrize(
    "url",
    [
        "out/faces", "out//faces/", "/abs", "./s3:/bucket", "a:b", "C:/faces", "run:3", "file:/abs//x", "file:///a//b",
        "s3://bucket", "s3://bucket/", "s3://bucket/a b/c/", "gs://b/x", "memory://x/y", "flaky:///tmp/x",
        "simplecache::s3://bucket/x", "https://host/a//b", "nobody://x",
    ],
)  # fmt: skip
def test_what_can_be_meant(url):
    assert mistake(url) is None


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("", "was a variable unset?"),
        ("  ", "was a variable unset?"),
        ("a\0b", "a NUL character"),
        ("file:///a\0b", "a NUL character"),
        ("s3:/bucket", "write s3://bucket (or ./s3:/bucket"),
        ("s3:bucket/x", "write s3://bucket/x"),
        ("memory:/x", "write memory://x"),
        ("s3:///bucket/x", "write s3://BUCKET/bucket/x"),
        ("s3://", "write s3://BUCKET/NAME"),
        ("s3://bucket//prefix", "write s3://bucket/prefix"),
        ("s3://bucket/x//", "write s3://bucket/x"),
        ("simplecache::s3://bucket//x", "write s3://bucket/x"),
        ("flaky:///tmp//x", "write flaky:///tmp/x"),
    ],
)
def test_what_cannot(url, advice, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert advice in mistake(url)
    with pytest.raises(SpecError) as error:
        store.write_atomic(url, b"1")
    assert advice in str(error.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["", " "])
def test_no_table_is_at_an_empty_path(url):
    with pytest.raises(SpecError, match="empty"):
        Table(url)
