"""One driver at a time: a lease file that says who is at work, renewed while the work goes on.

A dead holder whose process would be visible from here (same host, boot and PID namespace; told by pid and start time)
is taken over at once; any other when its lease has run out, which costs up to a minute after a reboot and keeps a live
driver in a container, or on a machine of the same name, from being taken for dead.

Who takes over makes `lease.json.TOKEN.next` first, with the dead holder's TOKEN and a record of his own: one maker, so
one heir. He looks whether the lease is still the dead one's, writes his record over it, then deletes the claim. A claim
made later than that finds another token in the lease and is withdrawn. An heir who dies in between leaves a claim that
is taken over as a lease is, by `lease.json.HEIR.next`. One who was so slow that his claim may have run out gives up.
"""

import json
import logging
import os
import socket
import threading
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from pipeline.errors import Busy, StoreError
from pipeline.tables import store

LEASE_SECONDS = 60.0
RENEW_SECONDS = 15.0
TRIES = 5
FIELDS: dict[str, type | tuple[type, ...]] = {
    "host": str,
    "boot": str,
    "pid": int,
    "started": (int, float),
    "expires": (int, float),
    "token": str,
}
"""What every record has; `namespace` came later."""

log = logging.getLogger(__name__)


class Lease:
    """Hold the lease at `url` for the length of a `with` block.

    Raises:
        Busy: a live driver holds it; the message says who.
        StoreError: what lies there is no lease, or the store refuses.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.token = uuid.uuid4().hex
        self._released = threading.Event()
        self._lost = threading.Event()
        self._renewing = threading.Thread(target=self._renew, name="lease", daemon=True)

    def __enter__(self) -> "Lease":
        store.make_directory(self.url.rsplit("/", 1)[0])
        self._take()
        self._renewing.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._released.set()
        self._renewing.join()
        try:
            if self._is_ours():
                store.delete(self.url)
        except StoreError as error:
            log.warning("the lease could not be given back, it runs out by itself: %s", error)

    def check(self) -> None:
        """Raise Busy where another driver has taken the lease in the meantime."""
        if self._lost.is_set():
            raise Busy(f"another driver took over {self.url} while this one was out of reach; it goes on with the work")

    def _take(self) -> None:
        for _ in range(TRIES):
            if store.create_exclusive(self.url, self._record()):
                return
            found = holder(self.url)  # None where it was given back since
            if found is not None and self._take_over(found):
                return
        raise Busy(f"other drivers come and go at {self.url} at this moment; run the same command again")

    def _take_over(self, dead: dict[str, Any]) -> bool:
        """Whether the lease of a dead holder is ours now; False where it is not his any more."""
        claims, last = list[str](), dead
        while True:
            self._refuse_where_alive(last)
            claims.append(f"{self.url}.{last['token']}.next")
            began = time.monotonic()
            if store.create_exclusive(claims[-1], self._record()):
                break
            heir = holder(claims[-1])
            if heir is None:
                return False
            last = heir
        found = holder(self.url)
        if found is None or found["token"] != dead["token"]:
            store.delete(claims[-1])
            return False
        self._refuse_where_late(began)
        store.write_atomic(self.url, self._record())
        self._refuse_where_late(began)
        self._delete_claims(claims)
        return True

    def _refuse_where_alive(self, record: dict[str, Any]) -> None:
        if why := _alive(record):
            raise Busy(
                f"another driver is at work here: process {record['pid']} on {record['host']}, {why} ({self.url}); "
                "wait for it, or stop it and run the same command again"
            )

    def _refuse_where_late(self, began: float) -> None:
        if time.monotonic() - began > LEASE_SECONDS:
            raise Busy(
                f"taking over {self.url} took more than {LEASE_SECONDS:.0f} s, another driver may have done so by now; "
                "run the same command again"
            )

    def _delete_claims(self, claims: Sequence[str]) -> None:
        """Only once the lease is ours: until then they keep others out."""
        try:
            store.delete_many(claims)
        except StoreError as error:
            log.warning("a used claim stays, it does no harm: %s", error)

    def _renew(self) -> None:
        while not self._released.wait(RENEW_SECONDS):
            try:
                if not self._is_ours():
                    self._lost.set()
                    return
                store.write_atomic(self.url, self._record())
            except StoreError as error:
                log.warning("the lease could not be renewed: %s", error)

    def _is_ours(self) -> bool:
        record = holder(self.url)
        return record is not None and record["token"] == self.token

    def _record(self) -> bytes:
        record = {
            "host": socket.gethostname(),
            "boot": _boot(),
            "namespace": _namespace(),
            "pid": os.getpid(),
            "started": psutil.Process().create_time(),
            "expires": time.time() + LEASE_SECONDS,
            "token": self.token,
        }
        return json.dumps(record, sort_keys=True).encode()


def holder(url: str) -> dict[str, Any] | None:
    """Who holds the lease, with all of `FIELDS`, or None where nobody does.

    Raises:
        StoreError: what lies there is no lease, or it cannot be read now.
    """
    content = store.read_bytes(url)
    if content is None:
        return None
    try:
        record = json.loads(content)
    except ValueError as error:
        raise _damaged(url, str(error)) from error
    if not isinstance(record, dict):
        raise _damaged(url, "not an object")
    if wrong := [name for name, kind in FIELDS.items() if not isinstance(record.get(name), kind)]:
        raise _damaged(url, f"without {', '.join(wrong)}")
    return record


def is_live(record: dict[str, Any]) -> bool:
    """Whether the holder is (as far as this host can tell) still at work."""
    return _alive(record) is not None


def _damaged(url: str, why: str) -> StoreError:
    return StoreError(
        f"{url} is no lease ({why}), so it cannot be told whether a driver is at work: "
        "make sure that none is, delete that file and run the same command again"
    )


def _alive(record: dict[str, Any]) -> str | None:
    """Why the holder counts as alive; None where it is dead."""
    here = record["host"] == socket.gethostname()
    if here and (record["boot"], record.get("namespace")) == (_boot(), _namespace()):
        try:
            same = abs(psutil.Process(record["pid"]).create_time() - record["started"]) < 1.0
        except psutil.NoSuchProcess:
            return None
        return "still running" if same else None
    left = record["expires"] - time.time()
    if left <= 0:
        return None
    runs = f"its lease runs for another {left:.0f} s"
    if not here:
        return runs
    return f"{runs} and decides, as that was before a reboot, in another container or on a host of the same name"


def _boot() -> str:
    boot_id = Path("/proc/sys/kernel/random/boot_id")
    return boot_id.read_text().strip() if boot_id.exists() else str(int(psutil.boot_time()))


def _namespace() -> str:
    """Within which PIDs mean the same: containers on the host's network share its name and boot, not its PIDs."""
    link = Path("/proc/self/ns/pid")
    return str(link.readlink()) if link.is_symlink() else "one for all"
