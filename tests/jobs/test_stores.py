"""The main job on stores that are not a directory: the same parts, resumed and verified there."""

from pathlib import Path

import boto3
import fsspec
import pytest
from moto.server import ThreadedMotoServer

from jobs.__main__ import main

WORDS = ["--generator", "stylegan2-tiny", "--classifiers", "tiny", "--images", "png", "--size", "32", "--local"]
WORDS += ["--backend", "eager", "--threads", "1", "--batch-size", "4", "--rows", "20", "--rows-per-shard", "8"]


@pytest.fixture(scope="module")
def bucket():
    """An S3 server process of our own, found through the environment as any S3 would be."""
    server = ThreadedMotoServer(port=0)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        environment.setenv("AWS_ACCESS_KEY_ID", "testing")
        environment.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        environment.setenv("AWS_DEFAULT_REGION", "us-east-1")
        boto3.client("s3").create_bucket(Bucket="faces")
        yield "s3://faces/set"
    server.stop()


def parts(out: str) -> dict[str, bytes]:
    fs, root = fsspec.core.url_to_fs(out)
    fs.invalidate_cache()
    found = [path for path in fs.find(root) if path.endswith(".parquet")]
    return {path.removeprefix(root).lstrip("/"): fs.cat_file(path) for path in found}


@pytest.mark.parametrize("where", ["s3", "memory"])
def test_a_store_holds_the_bytes_of_a_directory(where, bucket, tmp_path, capsys):
    out = bucket if where == "s3" else "memory://faces/set"
    assert main(["dataset", *WORDS, "--out", out, "--limit", "1"]) == 0
    assert main(["dataset", *WORDS, "--out", out]) == 0
    assert "1 done, 2 to run" in capsys.readouterr().err
    assert main(["dataset", *WORDS, "--out", str(tmp_path)]) == 0
    assert parts(out) == parts(str(tmp_path))
    assert len(parts(out)) == 12
    assert main(["verify", out]) == 0
    assert main(["dataset", *WORDS, "--out", out, "--seed", "2"]) == 4
    assert not list(Path().glob("s3:*"))


def test_a_missing_bucket_is_one_line(bucket, capsys):
    assert main(["dataset", *WORDS, "--out", "s3://nobody/set"]) == 1
    said = capsys.readouterr().err.strip().splitlines()
    assert len(said) == 1
    assert "nobody" in said[0]
