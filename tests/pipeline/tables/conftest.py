"""Places that a table may lie in: a path with spaces, an in-memory store, a bucket served by moto."""

import socket
import uuid

import boto3
import pytest
import s3fs
from moto.server import ThreadedMotoServer

KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture(scope="session")
def bucket_server():
    """(address of an S3 server of our own, name of a bucket in it)."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = ThreadedMotoServer("127.0.0.1", port, verbose=False)
    server.start()
    address = f"http://127.0.0.1:{port}"
    client = boto3.client(
        "s3",
        endpoint_url=address,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name="us-east-1",
    )
    client.create_bucket(Bucket="faces")
    yield address, "faces"
    server.stop()


@pytest.fixture
def bucket(bucket_server, monkeypatch):
    """A fresh URL in a bucket."""
    address, name = bucket_server
    for key, value in {**KEYS, "AWS_ENDPOINT_URL": address, "AWS_EC2_METADATA_DISABLED": "true"}.items():
        monkeypatch.setenv(key, value)
    s3fs.S3FileSystem.clear_instance_cache()
    yield f"s3://{name}/{uuid.uuid4().hex} with spaces"
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture(params=["local", "relative", "file", "memory", "s3"])
def place(request, tmp_path, monkeypatch):
    """A fresh URL of each kind."""
    if request.param == "s3":
        return request.getfixturevalue("bucket")
    if request.param == "memory":
        return f"memory://{uuid.uuid4().hex} with spaces/x"
    if request.param == "relative":
        monkeypatch.chdir(tmp_path)
        return "some folder/x"
    path = tmp_path / "with spaces [1] #2" / "x"
    return str(path) if request.param == "local" else f"file://{path}"
