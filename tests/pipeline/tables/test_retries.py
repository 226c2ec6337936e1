"""A store that fails now and then loses nothing; one that fails for good is given up soon, and told."""

import errno
import uuid
from types import SimpleNamespace

import fsspec
import numpy as np
import pytest
from aiohttp import ClientPayloadError, ServerDisconnectedError
from botocore.exceptions import (
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)
from fsspec.exceptions import FSTimeoutError
from odd_stores import FlakyFileSystem
from s3fs.errors import translate_boto_error

import schemas
from pipeline.errors import StoreError
from pipeline.tables import Table, retries, store
from pipeline.tables.retries import TRIES, is_transient

SCHEMA = schemas.labels(["smile"])


def rows_of(indices):
    scores = np.asarray(list(indices), np.float32)
    return SCHEMA.rows({"index": list(indices), "smile": scores, "age_years": scores, "yaw_degrees": scores})


@pytest.fixture
def pauses(monkeypatch):
    """The seconds between tries, which take no time: the clock stands still but for them."""
    made = []
    clock = SimpleNamespace(monotonic=lambda: 1000.0 + sum(made))
    monkeypatch.setattr("tenacity.time", clock)
    monkeypatch.setattr(retries, "time", clock)
    monkeypatch.setattr(retries._RETRYING, "sleep", made.append)
    return made


@pytest.fixture
def flaky(pauses):
    """A fresh URL."""
    FlakyFileSystem.calls.clear()
    FlakyFileSystem.failed.clear()
    yield f"faltering://{uuid.uuid4().hex}"
    assert FlakyFileSystem.failed["read"] > 5
    assert FlakyFileSystem.failed["write"] > 5


def test_files_on_a_flaky_store(flaky):
    urls = [store.join(flaky, f"{number}.json") for number in range(20)]
    for number, url in enumerate(urls):
        store.write_atomic(url, b"%d" % number)
        assert store.exists(url)
        assert store.list_names(flaky)[f"{number}.json"] == len(str(number))
    assert store.read_many(urls) == [store.read_bytes(url) for url in urls] == [b"%d" % n for n in range(20)]
    store.delete_many(urls[:10])
    for url in urls[10:19]:
        store.delete(url)
    assert list(store.list_names(flaky)) == ["19.json"]


def test_a_file_whose_maker_lost_the_answer_is_his(flaky):
    for number in range(30):
        url = store.join(flaky, str(number))
        assert store.create_exclusive(url, b"mine") is True
        assert store.create_exclusive(url, b"yours") is False
        assert store.read_bytes(url) == b"mine"
    assert len(store.list_names(flaky)) == 30


def test_a_table_on_a_flaky_store(flaky):
    table = Table.create(flaky, SCHEMA, rows=60, rows_per_shard=10)
    records = [table.publish(shard, rows_of(range(10 * shard, 10 * shard + 10))) for shard in range(6)]
    assert [table.inspect(shard) for shard in range(6)] == records
    table.seal(records, {})
    again = Table.open(flaky)
    assert again.read() == rows_of(range(60))
    assert sum(batch.num_rows for batch in again.batches(rows=3)) == 60
    assert again.verify() == []
    again.clear()
    assert store.list_names(flaky) == {}


def answered(status, code):
    response = {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return translate_boto_error(ClientError(response, "PutObject"))


class GoogleError(Exception):
    """As gcsfs' HttpError."""

    def __init__(self, code):
        self.code = code


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (OSError(errno.EIO, "I/O error"), True),
        (OSError(errno.ESTALE, "stale NFS handle"), True),
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (FSTimeoutError(), True),
        (EndpointConnectionError(endpoint_url="http://x"), True),
        (ConnectTimeoutError(endpoint_url="http://x"), True),
        (ReadTimeoutError(endpoint_url="http://x"), True),
        (ServerDisconnectedError(), True),
        (ClientPayloadError(), True),
        (answered(500, "InternalError"), True),
        (answered(503, "SlowDown"), True),
        (answered(503, "ServiceUnavailable"), True),
        (answered(429, "TooManyRequests"), True),
        (answered(400, "RequestTimeout"), True),
        (answered(400, "ThrottlingException"), True),
        (answered(409, "ConditionalRequestConflict"), True),
        (GoogleError(503), True),
        (GoogleError(404), False),
        (answered(400, "InvalidBucketName"), False),
        (answered(403, "AccessDenied"), False),
        (answered(404, "NoSuchBucket"), False),
        (answered(412, "PreconditionFailed"), False),
        (answered(501, "NotImplemented"), False),
        (NoCredentialsError(), False),
        (ParamValidationError(report="x"), False),
        (OSError(errno.ENOSPC, "full"), False),
        (OSError(errno.EDQUOT, "full"), False),
        (OSError(errno.EROFS, "read-only"), False),
        (PermissionError(errno.EACCES, "no"), False),
        (FileNotFoundError(errno.ENOENT, "no"), False),
        (OSError("a page does not match its checksum"), False),
        (ValueError("ours"), False),
    ],
    ids=repr,
)
def test_which_errors_pass(error, passes):
    assert is_transient(error) is passes


@pytest.mark.parametrize(
    ("number", "tries", "message"), [(errno.EIO, TRIES, "input/output"), (errno.ENOSPC, 1, "the disk is full")]
)
def test_tries_are_few_and_short(tmp_path, monkeypatch, pauses, number, tries, message):
    calls = []

    def fail(*_):
        calls.append(1)
        raise OSError(number, "no")

    monkeypatch.setattr("pipeline.tables.local_files.os.fsync", fail)
    with pytest.raises(StoreError, match=message):
        store.write_atomic(str(tmp_path / "x"), b"1")
    assert len(calls) == tries
    least = [0.1, 0.3, 0.9][: tries - 1]
    assert all(0 <= pause - usual <= 0.2 + 1e-9 for pause, usual in zip(pauses, least, strict=True))


def test_after_five_seconds_no_further_try_is_begun(tmp_path, monkeypatch, pauses):
    def slow(*_):
        pauses.append(3.0)
        raise OSError(errno.EIO, "no")

    monkeypatch.setattr("pipeline.tables.local_files.os.fsync", slow)
    with pytest.raises(StoreError, match="input/output"):
        store.write_atomic(str(tmp_path / "x"), b"1")
    assert pauses.count(3.0) == 2


@pytest.mark.slow
def test_nobody_answers(bucket, monkeypatch):
    """Nothing listens at port 9 of this machine."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    with pytest.raises(StoreError, match=r"cannot write s3://.*127\.0\.0\.1:9"):
        store.write_atomic(f"{bucket}/x", b"1")


def test_an_answer_of_s3_that_was_cut_off_is_asked_for_again():
    from botocore.exceptions import FlexibleChecksumError

    error = FlexibleChecksumError(error_msg="Expected checksum EYNZSA== did not match calculated checksum: AAAAAA==")
    assert is_transient(error)
