"""A worker publishes only while the lease is its own driver's.

A worker may outlive its driver (a node that was cut off, a process that hung) and finish its shard after another driver
has finished the job. So it reads the lease before it publishes, and publishes nothing if the lease is another's.

Between this check and the publication of one part there is a gap (on an object store, a PUT and its retries). A worker
that is cut off in it publishes that part late. Where it made the rows of the part that it
replaces, on a machine of the same kind, the bytes are the same. Otherwise (the job was changed by `--replace`, rejected
rows were tried again) the part is not the one on record: sealing and the next start see that by its size, where it
differs, and `verify` by its digest; then the same command makes the shard again.
"""

import socket
from dataclasses import dataclass

from pipeline.engine.lease import holder
from pipeline.errors import LeaseLost
from pipeline.tables import store


@dataclass(frozen=True)
class LeaseCheck:
    """The lease under which a run's workers may publish: where it lies, and its token."""

    lease_url: str
    token: str

    def check(self) -> None:
        """Read the lease.

        Raises:
            LeaseLost: another driver holds it, or nobody: the driver of this worker is gone.
            StoreError: it cannot be read now.
        """
        found = holder(self.lease_url)
        if found is None:
            raise LeaseLost(
                f"the lease {self.lease_url} is gone: the driver of this worker ended; nothing was published"
            )
        if found["token"] != self.token:
            raise LeaseLost(
                f"process {found['pid']} on {found['host']} drives this job now ({self.lease_url}); "
                "this worker is another driver's and published nothing"
            )

    def check_visible(self) -> None:
        """As `check`, when a worker opens: a node that does not see the output fails before it loads the models.

        Raises:
            LeaseLost: this host sees another file system, or the driver is gone.
        """
        if holder(self.lease_url) is None:
            where = "a directory of this host alone" if store.local_path(self.lease_url) else "a store"
            raise LeaseLost(
                f"the worker on {socket.gethostname()} does not see {self.lease_url}: --out names {where} that the "
                "driver wrote to and this worker cannot read; name a directory that all nodes share, or a URL (s3://...)"
            )
        self.check()
