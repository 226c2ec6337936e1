"""An S3 server of our own in a process of its own, for tests and benchmarks: moto's, on a free port, all in memory."""

import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import boto3
import s3fs

SECONDS_TO_START = 300.0

_SERVE = """
import logging, os, sys
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

logging.getLogger("werkzeug").setLevel(logging.ERROR)
app = DomainDispatcherApplication(create_backend_app)

def answer(environ, start_response):
    if "unconditional" in sys.argv:
        environ.pop("HTTP_IF_NONE_MATCH", None)
    return app(environ, start_response)

exec(os.environ.get("S3_SETUP", ""))
server = make_server("127.0.0.1", 0, answer, threaded="one" not in sys.argv)
print(server.port, flush=True)
server.serve_forever()
"""


@contextmanager
def s3_server(bucket: str, one_at_a_time: bool = False, conditions: bool = True, setup: str = "") -> Iterator[str]:
    """Serve an empty bucket, found through the environment as any S3 would be, for the length of the block.

    Yields the server's address. `one_at_a_time`: requests are answered one after another. moto looks whether there is
    an object and makes one in two steps, where S3 takes one; alone with a request, it does as S3 does. Without
    `conditions`, it ignores `If-None-Match`, as some that speak S3 do. `setup`: Python that its process runs first.
    """
    words = [sys.executable, "-c", _SERVE, *["one"] * one_at_a_time, *["unconditional"] * (not conditions)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env={**os.environ, "S3_SETUP": setup})
    try:
        port = process.stdout.readline().strip() if process.stdout else ""
        if not port:
            raise RuntimeError("the S3 server did not start")
        address = f"http://127.0.0.1:{port}"
        _wait(address)
        environment = {
            "AWS_ENDPOINT_URL": address,
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        with mock.patch.dict(os.environ, environment):
            s3fs.S3FileSystem.clear_instance_cache()
            boto3.client("s3").create_bucket(Bucket=bucket)
            yield address
            s3fs.S3FileSystem.clear_instance_cache()
    finally:
        process.kill()
        process.wait()


def _wait(address: str) -> None:
    deadline = time.monotonic() + SECONDS_TO_START
    while True:
        try:
            urllib.request.urlopen(address, timeout=60).close()
            return
        except urllib.error.HTTPError:
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
