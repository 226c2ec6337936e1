"""The stores that fault tests and the soak write to, besides directories: an S3 server behind a proxy, and `flaky://`."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import fsspec

from benchmarks.s3_server import s3_server

from .flaky_s3 import FlakyS3, flaky_s3

SITE = Path(__file__).parent / "site"
BUCKET = "faults"


@contextmanager
def services(orders: Path) -> Iterator[FlakyS3]:
    """Known, for the length of a block, to this process and to every process that is started in it.

    `orders`: the directory in which `flaky://` looks for its orders (see site/flaky_store.py).
    """
    with s3_server(BUCKET) as address, flaky_s3(address) as proxy:
        path = os.pathsep.join([str(SITE), *filter(None, [os.environ.get("PYTHONPATH")])])
        environment = {"AWS_ENDPOINT_URL": proxy.address, "FLAKY_ORDERS": str(orders), "PYTHONPATH": path}
        with mock.patch.dict(os.environ, environment), mock.patch.object(sys, "path", [*sys.path, str(SITE)]):
            fsspec.register_implementation("flaky", "flaky_store.FlakyFileSystem", clobber=True)
            yield proxy
