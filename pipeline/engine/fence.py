"""The fence: a worker publishes only while the lease is its own driver's.

A worker may outlive its driver (a node that was cut off, a process that hung) and come to its end when another driver
has finished the job. What it publishes then is late: it looks at the lease first, and leaves the tables alone.

Between the look and the publication of one part is a moment (on an object store as long as a PUT and its repeats take).
A worker that is cut off just there puts that part in its place late. Where it made the rows of the part that it
replaces, on a machine of the same kind, the bytes are the same. Otherwise (the job was changed by `--replace`, rejected
rows were taken up) the part is not the one on record: sealing and the next start see that by its size, where it
differs, and `verify` by its digest; then the same command makes the shard again.
"""

import socket
from dataclasses import dataclass

from pipeline.engine.lease import holder
from pipeline.errors import Fenced
from pipeline.tables import store


@dataclass(frozen=True)
class Fence:
    """The lease under which a run's workers may publish: where it lies, and its token."""

    lease_url: str
    token: str

    def check(self) -> None:
        """Look at the lease, in one small read.

        Raises:
            Fenced: another driver holds it, or nobody: the driver of this worker is gone.
            StoreError: it cannot be read now.
        """
        found = holder(self.lease_url)
        if found is None:
            raise Fenced(f"the lease {self.lease_url} is gone: the driver of this worker ended; nothing was published")
        if found["token"] != self.token:
            raise Fenced(
                f"process {found['pid']} on {found['host']} drives this job now ({self.lease_url}); "
                "this worker is another driver's and published nothing"
            )

    def check_visible(self) -> None:
        """As `check`, when a worker opens: a node that does not see the output is told so before it lifts the models.

        Raises:
            Fenced: this host sees another file system, or the driver is gone.
        """
        if holder(self.lease_url) is None:
            where = "a directory of this host alone" if store.local_path(self.lease_url) else "a store"
            raise Fenced(
                f"the worker on {socket.gethostname()} does not see {self.lease_url}: --out names {where} that the "
                "driver wrote to and this worker cannot read; name a directory that all nodes share, or a URL (s3://...)"
            )
        self.check()
