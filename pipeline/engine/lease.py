"""One driver at a time: a lease file that names the driver, renewed while it works.

Our own because lock libraries (filelock, portalocker) need a file system, and the output may be in an object store.

A dead holder whose process would be visible from here (same host, boot and PID namespace; told by pid and start time)
is taken over at once. A pid that is not seen proves nothing by itself: another user's may be hidden (`hidepid=2`), and
a container has its own. So in all other cases the lease decides, which costs up to a minute after a reboot. A lease
that ends later than any honest one was written by another clock: it is watched for a minute, and counts while it is
renewed.

Who takes over makes `lease.json.TOKEN.next` first, with the dead holder's TOKEN and a record of its own: one maker, so
one successor. It checks that the lease is still the dead one's, writes its own record over it, then deletes the claim.
A claim made later than that finds another token in the lease and is withdrawn. A successor that dies in between leaves
a claim that is taken over as a lease is, by a claim named after its own token. One that was so slow that its claim may
have run out gives up.
"""

import json
import logging
import os
import socket
import sys
import threading
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from pipeline.engine.duration import duration
from pipeline.errors import Busy, StoreError
from pipeline.tables import store

LEASE_SECONDS = 60.0
RENEW_SECONDS = 15.0
CLOCK_SECONDS = 5.0
"""So much may the clocks of two hosts differ before it is noticed."""

LOOK_SECONDS = 1.0
TRIES = 5
FIELDS: dict[str, type | tuple[type, ...]] = {
    "host": str,
    "boot": str,
    "pid": int,
    "started": (int, float),
    "expires": (int, float),
    "token": str,
}
"""What every record has; `namespace` and `ticks` came later."""

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
        self._who = {
            "host": socket.gethostname(),
            "boot": _boot(),
            "namespace": _namespace(),
            "pid": os.getpid(),
            "started": _own_start(),
            "ticks": _ticks(os.getpid()),
            "token": self.token,
        }  # found out once: a renewal opens no file but the lease

    def __enter__(self) -> "Lease":
        store.make_directory(store.parent(self.url))
        self._take()
        self._renewing.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._released.set()
        self._renewing.join()
        try:
            if self._is_ours():
                store.delete(self.url)
        except (StoreError, OSError) as error:
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
        raise Busy(f"other drivers are starting and stopping at {self.url}; run the same command again")

    def _take_over(self, dead: dict[str, Any]) -> bool:
        """Whether the lease of a dead holder is ours now; False where it is not his any more."""
        claims, last = list[str](), dead
        while True:
            self._refuse_where_alive(last, claims[-1] if claims else self.url)
            claims.append(f"{self.url}.{last['token']}.next")
            began = time.monotonic()
            if store.create_exclusive(claims[-1], self._record()):
                break
            successor = holder(claims[-1])
            if successor is None:
                return False
            last = successor
        found = holder(self.url)
        if found is None or found["token"] != dead["token"]:
            store.delete(claims[-1])
            return False
        self._refuse_where_late(began)
        store.write_atomic(self.url, self._record())
        self._refuse_where_late(began)
        self._delete_claims(claims)
        return True

    def _refuse_where_alive(self, record: dict[str, Any], url: str) -> None:
        why = why_alive(record)
        if why and _is_from_another_clock(record) and _runs(record) is None:
            log.warning(
                "process %s on %s holds the lease %s by %s: looking for %.0f s whether it renews it",
                record["pid"], record["host"], url, why, LEASE_SECONDS,
            )  # fmt: skip
            found = _changed(record, url)
            if found is None:
                why = None
            elif found["token"] == record["token"]:
                why = "which renews its lease; set its clock or this one right"
            else:
                record, why = found, "which took the lease over just now"
        if why:
            raise Busy(
                f"another driver is running here: process {record['pid']} on {record['host']}, {why} ({self.url}); "
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
        except (StoreError, OSError) as error:
            log.warning("a used claim stays, it does no harm: %s", error)

    def _renew(self) -> None:
        while not self._released.wait(RENEW_SECONDS):
            try:
                if not self._is_ours():
                    self._lost.set()
                    return
                store.write_atomic(self.url, self._record())
            except (StoreError, OSError) as error:  # whatever it is, the next try may do better
                log.warning("the lease could not be renewed: %s", error)

    def _is_ours(self) -> bool:
        record = holder(self.url)
        return record is not None and record["token"] == self.token

    def _record(self) -> bytes:
        return json.dumps({**self._who, "expires": time.time() + LEASE_SECONDS}, sort_keys=True).encode()


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


def _damaged(url: str, why: str) -> StoreError:
    return StoreError(
        f"{url} is no lease ({why}), so it cannot be told whether a driver is running: "
        "make sure that none is, delete that file and run the same command again"
    )


def why_alive(record: dict[str, Any]) -> str | None:
    """Why the holder counts as alive, as far as is known here; None if it is dead."""
    runs = _runs(record)
    if runs is not None:
        return "still running" if runs else None
    left = record["expires"] - time.time()
    if left <= 0:
        return None
    if _is_from_another_clock(record):
        return f"a clock that is {duration(left - LEASE_SECONDS)} ahead of this host's"
    ends = f"its lease ends by itself in {left:.0f} s if it is dead"
    if record["host"] != socket.gethostname():
        return ends
    return f"{ends}, which cannot be seen from here (another user, a container, a reboot, a host of the same name)"


def _runs(record: dict[str, Any]) -> bool | None:
    """Whether the holder's process runs; None where that cannot be seen from here."""
    if record["host"] != socket.gethostname() or record["boot"] != _boot():
        return None
    if _namespace() is None or record.get("namespace") != _namespace():
        return None
    try:
        process = psutil.Process(record["pid"])
        ticks = record.get("ticks") and _ticks(record["pid"])
        same = ticks == record["ticks"] if ticks else abs(process.create_time() - record["started"]) < 1.0
        return same and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, ValueError, OverflowError):
        pass
    try:
        os.kill(record["pid"], 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        pass  # it is there, and another user's
    return None


def _is_from_another_clock(record: dict[str, Any]) -> bool:
    return bool(record["expires"] - time.time() > LEASE_SECONDS + CLOCK_SECONDS)


def _changed(record: dict[str, Any], url: str) -> dict[str, Any] | None:
    """The record at `url` once it is another, within the length of a lease by this host's own clock: renewed by the
    same holder, or made by one who took it over. None where it stays as it is, or goes."""
    until = time.monotonic() + LEASE_SECONDS
    while time.monotonic() < until:
        time.sleep(LOOK_SECONDS)
        found = holder(url)
        if found != record:
            return found
    return None


def _own_start() -> float:
    try:
        return psutil.Process().create_time()
    except psutil.Error:  # the /proc that is mounted here is of another PID namespace
        return 0.0


def _ticks(pid: int) -> int | None:
    """When a process began, in clock ticks since the boot, which no change of the clock moves; None where there is no
    /proc that tells. (psutil's times are seconds of the wall clock.)"""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
        return int(stat.rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return None


def _boot() -> str:
    boot_id = Path("/proc/sys/kernel/random/boot_id")
    return boot_id.read_text().strip() if boot_id.exists() else str(int(psutil.boot_time()))


def _namespace() -> str | None:
    """Within which PIDs mean the same: containers on the host's network share its name and boot, not its PIDs. None
    where it cannot be told."""
    if sys.platform != "linux":
        return "one for all"
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return None
